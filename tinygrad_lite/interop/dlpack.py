"""Tensors from and to other libraries without a copy, by the DLPack protocol (https://dmlc.github.io/dlpack).

    torch.from_dlpack(x)            # our memory, seen by PyTorch
    tgl.from_dlpack(torch_tensor)   # PyTorch's memory, seen by us

Both sides then read the same memory. A tensor's value belongs to the graph, which cannot see what is written from
outside: consumers that understand version 1 of the protocol are told that the memory is read-only, and NumPy
obeys; PyTorch does not, so write to ``torch_tensor.clone()`` instead.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from tinygrad_lite.autograd.graph import Tensor, make_tensor, mode
from tinygrad_lite.autograd.rows import copied
from tinygrad_lite.errors import ArgumentError, DeviceError, DTypeError, ExchangeError, GradientError, fail
from tinygrad_lite.functions.arguments import checked_keywords
from tinygrad_lite.functions.creation import to_array
from tinygrad_lite.functions.devices import backend, check_device, to_device

__all__ = ["from_dlpack"]

_CPU = (1, 0)  # kDLCPU, device 0
_CUDA = 2  # kDLCUDA
_HOST_KINDS = (1, 3, 11, 13)  # kDLCPU, kDLCUDAHost, kDLROCMHost, kDLCUDAManaged: what NumPy can read
_NEGOTIATES = np.lib.NumpyVersion(np.__version__) >= "2.1.0"  # NumPy 2.0 knows no version, device or copy


def export(
    x: Tensor,
    stream: Any,
    max_version: tuple[int, int] | None,
    dl_device: tuple[Any, int] | None,
    copy: bool | None,
) -> Any:
    """The capsule that ``x.__dlpack__()`` hands to another library.

    Raises:
        GradientError: if ``x`` requires a gradient, which the other library would not follow.
        DeviceError: if another device than the CPU is asked for.
        ExchangeError: if ``copy=False`` and the memory cannot be shared as it is.
    """
    if x._node is not None and mode.enabled:
        hint = "x.detach() says that the gradient ends here"
        fail(GradientError, "__dlpack__", "cannot carry a gradient", {"tensor": x}, hint)
    versioned = max_version is not None and max_version[0] >= 1
    if x.device == "cuda":
        return _export_cuda(x, stream, versioned, dl_device, copy)
    if stream is not None:
        need = f"knows no streams on the cpu, but got {stream!r}"
        fail(ArgumentError, "__dlpack__", need, {"tensor": x}, "leave stream out")
    if dl_device is not None and (int(dl_device[0]), dl_device[1]) != _CPU:
        need = f"exports to the cpu, (1, 0), but got {dl_device}"
        fail(DeviceError, "__dlpack__", need, {"tensor": x}, "leave dl_device out")
    array = x._data
    versioned = versioned and _NEGOTIATES
    # Version 0 cannot say that memory is read-only, and PyTorch ends the process on a negative stride.
    must_copy = (not versioned and not array.flags.writeable) or any(s < 0 for s in array.strides)
    if must_copy and copy is False:
        reason = "its strides are negative" if versioned or array.flags.writeable else "it is read-only"
        hint = "leave copy out, so that it copies where it must"
        fail(ExchangeError, "__dlpack__", f"cannot share this memory (copy=False): {reason}", {"tensor": x}, hint)
    if copy or must_copy:
        array = copied(array)
    elif versioned:
        array = array.view()
        array.flags.writeable = False
    return array.__dlpack__(max_version=max_version) if versioned else array.__dlpack__()


def _export_cuda(x: Tensor, stream: Any, versioned: bool, dl_device: Any, copy: bool | None) -> Any:
    """The capsule of a tensor on the GPU."""
    from tinygrad_lite.backends.cuda import exchange

    here = device_number(x)
    if dl_device is not None and (int(dl_device[0]), dl_device[1]) != here:
        need = f"exports to the GPU where the tensor is, {here}, but got {dl_device}"
        fail(DeviceError, "__dlpack__", need, {"tensor": x}, 'x.to("cpu") copies it first')
    if stream is not None and (type(stream) is not int or stream == 0):
        need = f"needs the handle of a stream, 1 for the default stream, or -1, but got {stream!r}"
        fail(ArgumentError, "__dlpack__", need, {"tensor": x})
    must_copy = any(s < 0 for s in x._data.strides)  # as on the CPU
    if must_copy and copy is False:
        hint = "leave copy out, so that it copies where it must"
        need = "cannot share this memory (copy=False): its strides are negative"
        fail(ExchangeError, "__dlpack__", need, {"tensor": x}, hint)
    return exchange.export(copied(x._data) if copy or must_copy else x._data, stream, versioned)


def device_number(x: Tensor) -> tuple[int, int]:
    """What ``x.__dlpack_device__()`` returns: (1, 0) for the CPU, (2, number) for a GPU."""
    if x.device == "cuda":
        from tinygrad_lite.backends.cuda import driver

        return (2, driver.current().number)
    kind, number = x._data.__dlpack_device__()
    return int(kind), int(number)


@checked_keywords
def from_dlpack(x: Any, /, *, device: str | None = None, copy: bool | None = None) -> Tensor:
    """A tensor that shares the memory of another library's, whatever has ``__dlpack__``.

    Args:
        x: a tensor of PyTorch, an array of NumPy or CuPy, ... on the CPU or on the GPU in use.
        device: where the tensor shall be; None is where ``x`` is. Another device means a copy.
        copy: True copies, None and False share.

    Returns:
        A tensor without a gradient. Writes from outside into shared memory cannot be seen by the graph.

    Raises:
        DTypeError: if ``x`` does not speak DLPack or holds no numbers.
        DeviceError: if its memory is neither the CPU's nor the GPU's in use.
        GradientError: if ``x`` is a tensor of ours that requires a gradient.
        ExchangeError: if the other library refuses.

    >>> import numpy as np
    >>> from_dlpack(np.arange(3))
    Tensor([0, 1, 2], dtype=int64)
    """
    check_device("from_dlpack", device)
    if isinstance(x, Tensor):
        if x._node is not None and mode.enabled:
            hint = "x.detach() says that the gradient ends here"
            fail(GradientError, "from_dlpack", "cannot carry a gradient", {"x": x}, hint)
        return to_device(make_tensor(copied(x._data)) if copy else x.detach(), device, "from_dlpack")
    if not hasattr(x, "__dlpack__"):
        fail(DTypeError, "from_dlpack", "needs an array of a library that speaks DLPack", {"x": x}, "use asarray")
    array, text, host = None, "", True
    try:
        kind = int(x.__dlpack_device__()[0])
        host = kind in _HOST_KINDS
        if kind == _CUDA:
            array, host = _from_cuda(x), True
        elif host:
            array = np.from_dlpack(x, copy=False) if _NEGOTIATES and copy is False else np.from_dlpack(x)
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        text = str(error).rstrip(". ")
    if not host:
        fail(DeviceError, "from_dlpack", "needs memory of the cpu or of an NVIDIA GPU", {"x": x}, "move it there first")
    if array is None:  # out of the handler, so that no traceback shows two errors
        fail(ExchangeError, "from_dlpack", f"cannot take this: {text}", {"x": x})
    return to_device(make_tensor(to_array(array, copy=bool(copy))), device, "from_dlpack")


def _from_cuda(x: Any) -> Any:
    backend("from_dlpack", "cuda")
    from tinygrad_lite.backends.cuda import exchange

    return exchange.from_dlpack(x)
