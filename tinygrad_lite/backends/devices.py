"""The devices: the namespace that computes on each, and the copies between them."""

from __future__ import annotations

from typing import Any

import numpy as np

DEVICES = ("cpu", "cuda")


def namespace_on(device: str) -> Any:
    """The namespace that computes on a device; that of the GPU is loaded when first asked for."""
    if device == "cpu":
        from tinygrad_lite.backends.cpu import namespace as cpu

        return cpu
    from tinygrad_lite.backends.cuda import namespace, overrides  # noqa: F401  (adds the fused rows)

    return namespace


def device_of(array: Any) -> str:
    """Where an array of some backend is."""
    name: str = getattr(array, "device", "cpu")
    return name


def on_host(array: Any) -> np.ndarray[Any, Any]:
    """The elements as a NumPy array: the array itself on the CPU, a copy of one on another device."""
    if isinstance(array, np.ndarray):
        return array
    copied: np.ndarray[Any, Any] = array.get() if hasattr(array, "get") else np.asarray(array)
    return copied


def to_device(x: Any, device: str) -> Any:
    """``x`` itself if it is on the device already, else a copy there."""
    return x if device_of(x) == device else namespace_on(device).asarray(on_host(x))


def staging() -> Any:
    """Page-locked memory, and copies between it and the GPU that nobody waits for."""
    from tinygrad_lite.backends.cuda import staging

    return staging
