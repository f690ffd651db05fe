"""NVIDIA's compiler takes every registered module, for sm_80 and sm_90a, without spills and within its budget."""

from __future__ import annotations

import json

import pytest

from kernels import machine_code

pytestmark = pytest.mark.needs("nvcc")


def test_every_module_compiles(nvcc: str) -> None:
    failed = {name: report.complaints for name, report in machine_code.reports(nvcc).items() if report.complaints}
    assert not failed


def test_there_are_at_most_150_modules() -> None:
    assert 0 < len(machine_code.registered()) <= 150


def test_no_kernel_spills_registers(nvcc: str) -> None:
    spilled = {
        f"{name}: {kernel}": nbytes
        for name, report in machine_code.reports(nvcc).items()
        for kernel, nbytes in report.spills.items()
        if nbytes
    }
    assert not spilled


def test_every_kernel_keeps_within_its_recorded_registers(nvcc: str) -> None:
    budgets = json.loads(machine_code.BUDGETS.read_text(encoding="utf-8"))
    found = {name: report.registers for name, report in machine_code.reports(nvcc).items()}
    remedy = "python tests/kernels/machine_code.py records the budgets anew"
    recorded_with = budgets.pop("nvcc")
    assert budgets.keys() == found.keys(), remedy
    if machine_code.release(nvcc) != recorded_with:
        return  # another compiler shares registers out in another way; what it must not do is to spill
    for name, kernels in found.items():
        assert budgets[name].keys() == kernels.keys(), f"{name}: {remedy}"
        heavier = {
            kernel: (used, budgets[name][kernel]) for kernel, used in kernels.items() if used > budgets[name][kernel]
        }
        assert not heavier, f"{name}: registers used, and the budget: {heavier}; if that is meant, {remedy}"
