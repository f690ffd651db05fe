"""The devices by name: which there are, and tensors that move from one to another."""

from __future__ import annotations

import re
from typing import Any

from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.autograd.record import apply, tensor_of
from tinygrad_lite.autograd.refusals import refuse_devices
from tinygrad_lite.autograd.rows import namespaces
from tinygrad_lite.autograd.rules.manipulation import TO_DEVICE
from tinygrad_lite.backends import devices
from tinygrad_lite.errors import DeviceError, fail


def check_device(operation: str, device: str | None) -> str | None:
    """The name of a device as tensors give it, or None; a GPU is set up when it is first named.

    Raises:
        DeviceError: there is no such device on this machine.
        DependencyError: PyCUDA is missing.
    """
    if device is None or device == "cpu":
        return device
    number = re.fullmatch(r"cuda(?::(\d+))?", device) if isinstance(device, str) else None
    if number is None:
        hint = 'use device="cpu", or leave it out'
        if isinstance(device, str) and device.partition(":")[0].lower() in ("gpu", "cuda", "nvidia"):
            hint = 'use device="cuda"'
        fail(DeviceError, operation, f'knows the devices "cpu" and "cuda", but got {device!r}', {}, hint)
    from tinygrad_lite.backends.cuda import driver

    if number[1] is not None:
        driver.select(int(number[1]), operation)
    driver.current()
    return "cuda"


def backend(operation: str, device: str | None) -> Any:
    """The namespace that makes arrays on ``device``; everything made from nothing comes through here."""
    name = check_device(operation, device) or "cpu"
    namespace = devices.namespace_on(name)
    if namespace.array_type not in namespaces:
        from tinygrad_lite.autograd.tools import device_memory

        namespaces[namespace.array_type] = namespace
        namespace.describe_holders(device_memory.largest)
    return namespace


def moved(operation: str, array: Any, device: str | None) -> Any:
    """``array`` on ``device``: itself if it is there already or no device is named, else a copy."""
    name = check_device(operation, device)
    if name is None or name == devices.device_of(array):
        return array
    return backend(operation, name).asarray(devices.on_host(array))


def require_one_device(operation: str, named: dict[str, Tensor]) -> None:
    """Refuse tensors that are not all on one device.

    Raises:
        DeviceError: they are not.
    """
    if len({type(x._data) for x in named.values()}) > 1:
        refuse_devices(operation, named)


def on_device_of(operation: str, value: Any, x: Tensor, name: str) -> Tensor:
    """``value`` as a tensor on the device of ``x``: what is no tensor is copied there, a tensor must be there already.

    Raises:
        DeviceError: a tensor is elsewhere.
    """
    if isinstance(value, Tensor):
        require_one_device(operation, {"x": x, name: value})
        return value
    return to_device(tensor_of(operation, value, name), x.device)


def to_device(x: Tensor, device: str | None, operation: str = "to") -> Tensor:
    """``x`` on another device; its gradient comes back to where ``x`` is."""
    name, home = check_device(operation, device), devices.device_of(x._data)
    if name is None or name == home:
        return x
    backend(operation, name)
    return apply(TO_DEVICE, (x,), (name, home))
