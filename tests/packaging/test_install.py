"""Every kind of installation carries the whole package, wherever Python is started.

The tree is copied, built, and installed into fresh environments without a network: they borrow NumPy and the
build tools from the environment in which the tests run.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import tinygrad_lite

ROOT = Path(__file__).resolve().parents[2]
BORROWED = ("numpy", "pip", "setuptools")
NOT_SOURCE = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist")

pytestmark = pytest.mark.packaging

try:
    if int(importlib.metadata.version("setuptools").split(".")[0]) < 77:
        raise importlib.metadata.PackageNotFoundError
    BORROWED_FILES = [
        distribution.locate_file(top)
        for distribution in map(importlib.metadata.distribution, BORROWED)
        for top in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}
    ]
except importlib.metadata.PackageNotFoundError:
    pytest.skip("building the package (needs pip and setuptools >= 77)", allow_module_level=True)

# Runs in the fresh environment, in an empty folder, and prints what it found there.
PROBE = """
import hashlib, importlib.metadata, importlib.resources, json
import tinygrad_lite

def files(folder, path):
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from files(entry, path + entry.name + "/")
        else:
            yield path + entry.name, hashlib.sha256(entry.read_bytes()).hexdigest()

metadata = importlib.metadata.metadata("tinygrad_lite")
print(json.dumps({
    "version": tinygrad_lite.__version__,
    "files": dict(files(importlib.resources.files("tinygrad_lite"), "tinygrad_lite/")),
    "extras": sorted(metadata.get_all("Provides-Extra")),
    "python": metadata["Requires-Python"],
    "always": [r for r in metadata.get_all("Requires-Dist") if "extra" not in r],
    "licence": [metadata["License-Expression"] or metadata["License"], metadata.get_all("License-File")],
}))
"""


def run(*command: str | Path, cwd: Path) -> str:
    # Without what could put this tree on the fresh environment's path.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    result = subprocess.run([*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{command}\n{result.stdout}{result.stderr}"
    return result.stdout


def source_files(tree: Path) -> dict[str, str]:
    """What the package consists of, as path: SHA-256; the link to the kernels is followed."""
    package = tree / "tinygrad_lite"
    files = {path for folder in (package, package / "kernels") for path in folder.rglob("*") if path.is_file()}
    return {str(path.relative_to(tree)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this tree, as a clone would be."""
    copy = tmp_path_factory.mktemp("clone") / "tree"
    return shutil.copytree(ROOT, copy, symlinks=True, ignore=NOT_SOURCE)


@pytest.fixture(scope="module")
def borrowed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to put on ``sys.path``, with links to the packages that are not to be installed each time."""
    folder = tmp_path_factory.mktemp("borrowed")
    for file in BORROWED_FILES:
        (folder / Path(str(file)).name).symlink_to(Path(str(file)))
    return folder


@pytest.fixture(scope="module")
def dist(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source distribution."""
    folder = tmp_path_factory.mktemp("dist")
    for kind in ("sdist", "wheel"):
        copy = shutil.copytree(tree, folder / f"tree for {kind}", symlinks=True)
        code = f"from setuptools.build_meta import build_{kind} as build; build({str(folder)!r})"
        run(sys.executable, "-c", code, cwd=copy)
    return folder


def test_the_wheel_holds_the_package_and_nothing_else(tree: Path, dist: Path) -> None:
    [wheel] = dist.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if not name.endswith("/")}
    information = {name for name in names if name.split("/")[0].endswith(".dist-info")}
    assert names - information == set(source_files(tree))
    assert sum(name.endswith("/LICENSE") for name in information) == 1


def test_the_source_distribution_holds_what_it_takes_to_build_and_test(tree: Path, dist: Path) -> None:
    [sdist] = dist.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        links = [member.name for member in archive.getmembers() if member.issym()]
    needed = {"setup.cfg", "pyproject.toml", "LICENSE", "Makefile", "tests/conftest.py"}
    assert needed | set(source_files(tree)) <= names
    assert links == []


@pytest.mark.parametrize("kind", ["wheel", "sdist", "editable", "strict editable", "editable from sdist"])
def test_an_installation_carries_the_whole_package(
    kind: str, tree: Path, dist: Path, borrowed: Path, tmp_path: Path
) -> None:
    venv.create(tmp_path / "env", symlinks=True, with_pip=False)
    python = tmp_path / "env" / "bin" / "python"
    [site] = (tmp_path / "env" / "lib").glob("python*/site-packages")
    (site / "borrowed.pth").write_text(f"{borrowed}\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    if kind == "wheel":
        [source] = dist.glob("*.whl")
    elif kind == "sdist":
        [source] = dist.glob("*.tar.gz")
    else:
        source = tmp_path / "installed from here"
        if kind == "editable from sdist":
            [sdist] = dist.glob("*.tar.gz")
            source.mkdir()
            run("tar", "-xzf", sdist, "--strip-components=1", cwd=source)
        else:
            shutil.copytree(tree, source, symlinks=True)
    options = ["--editable"] if "editable" in kind else []
    if kind == "strict editable":
        options = ["--config-settings", "editable_mode=strict", *options]
    pip = (python, "-m", "pip", "--isolated", "--disable-pip-version-check", "install", "--quiet")
    run(*pip, "--no-index", "--no-deps", "--no-build-isolation", *options, source, cwd=elsewhere)

    found = json.loads(run(python, "-c", PROBE, cwd=elsewhere))
    installed = {name: hash for name, hash in found.pop("files").items() if "__pycache__" not in name}
    assert installed == source_files(tree)
    assert found == {
        "version": tinygrad_lite.__version__,
        "extras": ["cuda", "cuda-toolkit", "dev", "examples", "mpi", "test"],
        "python": ">=3.10",
        "always": ["numpy>=2.0"],
        "licence": ["MIT", ["LICENSE"]],
    }
