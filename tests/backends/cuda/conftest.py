"""The tests of the GPU backend run on the emulated GPU, or on a real one with TINYGRAD_LITE_TEST_DEVICE=gpu."""

from __future__ import annotations

import os

import cuda_harness
import pytest


@pytest.fixture(scope="session", autouse=True)
def gpu() -> None:
    """A GPU for the session; the driver layer must not be loaded before it."""
    if os.environ.get("TINYGRAD_LITE_TEST_DEVICE") == "gpu":
        return
    missing = cuda_harness.available()
    if missing is not None:
        pytest.skip(missing)
    cuda_harness.install()
