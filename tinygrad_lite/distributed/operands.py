"""The memory of a collective's operand and result: the one must not change while it is read, the other must change."""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lite.distributed.arrays import Deliver
from tinygrad_lite.distributed.reductions import Array
from tinygrad_lite.errors import ArgumentError, fail


def check_writable(operation: str, out: Any) -> None:
    """Refuse an ``out`` that cannot be written, before other ranks count on this one."""
    if isinstance(out, np.ndarray) and not out.flags.writeable:
        fail(ArgumentError, operation, "needs out to be writable", {"out": out}, "out.copy() can be written")


def apart(send: Array, recv: Array, deliver: Deliver) -> tuple[Array, Array, Deliver]:
    """Operand, result and delivery where none overwrites what is still to be read.

    Two views of the same elements are one array, reduced in place. A result that lies across the operand is made
    elsewhere and copied.
    """
    if (send.base is None and recv.base is None) or send is recv or not np.may_share_memory(send, recv):
        return send, recv, deliver
    if send.size == recv.size and send.ctypes.data == recv.ctypes.data:
        return recv, recv, deliver

    def copied(result: Array) -> Any:
        recv[...] = result
        return deliver(recv)

    return send, np.empty_like(recv), copied
