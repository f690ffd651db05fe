"""examples/autograd_tour.py: every stop prints what it promises, and the numbers are right."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from examples.running import run_example


@pytest.fixture(scope="module")
def tour() -> str:
    output, complaints = run_example("autograd_tour.py")
    assert complaints == ""
    return output


def test_the_stops_come_in_order(tour: str) -> None:
    assert re.findall(r"^\d\. .*$", tour, re.MULTILINE) == [
        "1. One number",
        "2. Vectors",
        "3. A Jacobian",
        "4. A Hessian",
        "5. Newton's method",
        "6. What backward costs",
        "7. Higher derivatives",
    ]


def test_the_lecture_s_first_example(tour: str) -> None:
    assert "dz/dy = 2y = 12,  dz/dx = dz/dy * 2 = 24  (8x = 24)" in tour


def test_the_gradient_of_vectors_is_that_of_the_hand_computation(tour: str) -> None:
    found, by_hand = re.search(r"grad z = .* = (\[.*?\])  \(by hand: (\[.*?\])\)", tour).groups()
    assert found == by_hand == "[14.0, -2.0, 30.0]"


def test_both_modes_give_one_jacobian(tour: str) -> None:
    assert "the same from forward mode: True" in tour
    assert float(re.search(r"its determinant is r: (\S+)", tour)[1]) == pytest.approx(2.0, abs=1e-14)


def test_the_hessian_at_the_minimum_is_the_known_one(tour: str) -> None:
    assert "[[802.0, -400.0], [-400.0, 200.0]]" in tour
    low, high = map(float, re.search(r"curvatures (\S+) and (\S+):", tour).groups())
    assert low * high == pytest.approx(400.0, rel=1e-2)
    assert low + high == pytest.approx(1002.0, rel=1e-3)


def test_newton_arrives_and_descent_does_not(tour: str) -> None:
    last = re.findall(r"Newton step \d: \((\S+), (\S+)\)  f = (\S+)", tour)[-1]
    assert [float(v) for v in last] == pytest.approx([1.0, 1.0, 0.0], abs=1e-12)
    (descent,) = re.findall(r"1000 steps of gradient descent: .* f = (\S+)", tour)
    assert float(descent) > 1e-4


def test_edges_grow_linearly_in_a_chain_and_quadratically_in_a_full_graph(tour: str) -> None:
    rows = re.findall(r"^(chain|fully connected) +n = +(\d+): +(\d+) edges, +\S+ ms, +\S+ us each$", tour, re.MULTILINE)
    assert len(rows) == 6
    for name, n, edges in rows:
        assert int(edges) == (int(n) if name == "chain" else int(n) * (int(n) + 1) // 2)


def test_derivatives_of_the_sine_repeat_after_four(tour: str) -> None:
    values = [float(v) for v in re.findall(r"derivative \d of sin at 0.5: (\S+)", tour)]
    assert values == pytest.approx([0.479426, 0.877583, -0.479426, -0.877583, 0.479426], abs=1e-6)


def test_the_picture_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    output, _ = run_example("autograd_tour.py", "--plot", tmp_path / "rosenbrock.png")
    assert output.endswith(f"\npicture: {tmp_path}/rosenbrock.png\n")
    assert (tmp_path / "rosenbrock.png").read_bytes().startswith(b"\x89PNG")


def test_a_device_of_another_name_is_refused() -> None:
    output, complaints = run_example("autograd_tour.py", "--device", "gpu", status=2)
    assert output == ""
    message = "argument --device: needs cpu, cuda or cuda:N, but got 'gpu'"
    assert complaints.splitlines()[-1] == f"autograd_tour.py: error: {message}"
