"""What ``import tinygrad_lite`` loads, and what only when it is used."""

from __future__ import annotations

import subprocess
import sys

HEAVY = ("torch", "jax", "matplotlib", "tqdm", "mpi4py", "pycuda", "scipy", "pandas", "safetensors", "hypothesis")


def modules_after(statement: str) -> set[str]:
    """The modules of a fresh process that has run ``statement`` in the folder that this one imports from."""
    code = f"{statement}\nimport sys; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(found.stdout.split())


def test_the_import_loads_numpy_and_nothing_heavier():
    loaded = modules_after("import tinygrad_lite")
    assert "numpy" in loaded
    assert not loaded & set(HEAVY)


def test_networks_optimisers_and_data_are_loaded_when_first_used():
    later = {"tinygrad_lite.nn", "tinygrad_lite.optim", "tinygrad_lite.data", "tinygrad_lite.autograd.tools.gradcheck"}
    assert not modules_after("import tinygrad_lite") & later
    used = "import tinygrad_lite as tgl; tgl.nn.Linear; tgl.optim.SGD; tgl.data.DataLoader; tgl.gradcheck; tgl.save"
    assert later <= modules_after(used)
    assert not modules_after(used) & set(HEAVY)


def test_mpi_is_loaded_where_there_are_several_ranks_only():
    loaded = modules_after("import tinygrad_lite as tgl; tgl.distributed.init().barrier()")
    assert "tinygrad_lite.distributed" in loaded
    assert not loaded & set(HEAVY)
    assert "tinygrad_lite.distributed" not in modules_after("import tinygrad_lite")


def test_an_unknown_name_is_an_attribute_error():
    code = "import tinygrad_lite\ntry: tinygrad_lite.nonsense\nexcept AttributeError as error: print(error)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[0] == "tinygrad_lite has no attribute 'nonsense'"
