"""``kernels/philox.cuh``, compiled as C++, gives the bits of the CPU's stream; nvcc compiles it for GPUs."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tinygrad_lite.backends.cpu.gamma_draws import blocks_at
from tinygrad_lite.backends.cpu.random import integers, random_bits

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "tests" / "kernels" / "philox_check.cu"
WORD = 2**64 - 1


@pytest.fixture(scope="module")
def words_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., list[int]]:
    """The header compiled by g++, warnings being errors: a function from arguments to printed words."""
    compiler = shutil.which("g++")
    if compiler is None:
        pytest.skip("compiling kernels as C++ (no g++; apt-get install g++)")
    binary = tmp_path_factory.mktemp("philox") / "philox_check"
    flags = ["-x", "c++", "-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{ROOT / 'kernels'}"]
    subprocess.run([compiler, *flags, str(PROGRAM), "-o", str(binary)], check=True)

    def run(*arguments: str | int) -> list[int]:
        command = [str(binary), *map(str, arguments)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return [int(line) for line in output.split()]

    return run


# The vectors for Philox4x64-10 that the generator's authors publish.
@pytest.mark.parametrize(
    "key, counter, block",
    [
        (
            [0, 0],
            [0, 0, 0, 0],
            [0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B],
        ),
        (
            [WORD] * 2,
            [WORD] * 4,
            [0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0],
        ),
        (
            [0x452821E638D01377, 0xBE5466CF34E90C6C],
            [0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89],
            [0xA528F45403E61D95, 0x38C72DBD566E9788, 0xA5A1610E72FD18B5, 0x57BD43B5E52B7FE6],
        ),
    ],
)
def test_block_gives_the_published_words(
    words_of: Callable[..., list[int]], key: list[int], counter: list[int], block: list[int]
) -> None:
    assert words_of("block", *key, *counter) == block


@pytest.mark.parametrize("seed, counter", [(0, 0), (42, 7), (2**63 + 1, 3), (WORD, WORD)])
@pytest.mark.parametrize("start", [0, 5, 2**40 + 3])
def test_the_header_draws_the_bits_of_the_cpu(
    words_of: Callable[..., list[int]], seed: int, counter: int, start: int
) -> None:
    assert words_of("bits", seed, counter, start, 1003) == random_bits(seed, counter, 1003, start=start).tolist()


def test_the_header_draws_the_64_bit_words_of_the_cpu(words_of: Callable[..., list[int]]) -> None:
    upper_halves = integers(42, 7, 1003, 0, 2**32, start=6).tolist()
    assert [word >> 32 for word in words_of("words", 42, 7, 6, 1003)] == upper_halves


@pytest.mark.parametrize("attempt", [0, 1, 12])
def test_the_header_makes_the_blocks_of_a_gamma_draw(words_of: Callable[..., list[int]], attempt: int) -> None:
    indices = [0, 7, 2**33 + 1]
    blocks = blocks_at(42, 7, np.array(indices, np.uint64), attempt)
    for index, block in zip(indices, blocks.T.tolist(), strict=True):
        assert words_of("block", 42, 7, index, attempt, 0, 0) == block


@pytest.mark.needs("nvcc")
@pytest.mark.parametrize("architecture", ["sm_80", "sm_90"])
def test_nvcc_compiles_the_header_without_spills(nvcc: str, tmp_path: Path, architecture: str) -> None:
    flags = ["-std=c++17", "-cubin", "-Xptxas", "-v", f"-arch={architecture}", f"-I{ROOT / 'kernels'}"]
    command = [nvcc, *flags, str(PROGRAM), "-o", str(tmp_path / "philox.cubin")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads") == 2, done.stderr
    assert "warning" not in done.stderr
