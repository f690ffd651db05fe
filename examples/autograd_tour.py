"""A tour of automatic differentiation in seven stops, from one number to Newton's method.

    python examples/autograd_tour.py
    python examples/autograd_tour.py --plot rosenbrock.png
    python examples/autograd_tour.py --device cuda

Each stop is a function below that prints what it computes; read them side by side.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from arguments import add_device, add_plot, check_matplotlib

import tinygrad_lite as tgl
from tinygrad_lite import Tensor


def one_number(device: str) -> None:
    """z = (2x)^2, the first example of the lecture: dz/dx = dz/dy dy/dx = 2y * 2 = 8x."""
    x = Tensor(3.0, device=device, requires_grad=True)
    y = 2 * x
    z = y**2
    y.retain_grad()  # gradients of intermediate results are dropped unless one asks
    z.backward()
    print(f"x = {x.item():g}, y = 2x = {y.item():g}, z = y^2 = {z.item():g}")
    print(f"dz/dy = 2y = {y.grad:g},  dz/dx = dz/dy * 2 = {x.grad:g}  (8x = {8 * x.item():g})")


def vectors(device: str) -> None:
    """dz/dx_i = sum over j of dz/dy_j dy_j/dx_i: a value that is used twice receives two shares, which add up."""
    x = Tensor([1.0, 2.0, 3.0], device=device, requires_grad=True)
    weight = Tensor([[1.0, 0.0, 2.0], [0.0, -1.0, 1.0]], device=device)
    y = weight @ x  # the Jacobian dy/dx is the matrix itself
    z = (y * y).sum()
    z.backward()
    print(f"y = W x = {y.tolist()}, z = y1^2 + y2^2 = {z.item():g}")
    print(f"grad z = W^T (2 y) = {x.grad.tolist()}  (by hand: {(weight.T @ (2 * y)).tolist()})")


def jacobian(device: str) -> None:
    """One backward pass gives a row of the Jacobian, one forward pass a column."""

    def polar(p: Tensor) -> Tensor:
        return tgl.stack([p[0] * tgl.cos(p[1]), p[0] * tgl.sin(p[1])])

    point = Tensor([2.0, 0.5], dtype="float64", device=device)
    by_rows = tgl.jacobian(polar, point)
    by_columns = tgl.jacobian(polar, point, strategy="forward-mode")
    print("of (r cos a, r sin a) at r = 2, a = 0.5:")
    print(f"{by_rows.numpy().round(4)}")
    print(f"the same from forward mode: {bool(tgl.max(tgl.abs(by_rows - by_columns)) < 1e-15)}")
    print(f"its determinant is r: {by_rows[0, 0] * by_rows[1, 1] - by_rows[0, 1] * by_rows[1, 0]:.15g}")


def rosenbrock(p: Tensor) -> Tensor:
    """(1 - x)^2 + 100 (y - x^2)^2: a curved valley whose floor hardly slopes; the minimum is 0 at (1, 1)."""
    return (1 - p[0]) ** 2 + 100 * (p[1] - p[0] ** 2) ** 2


def hessian(device: str) -> None:
    """Differentiating the gradient once more: the backward pass is recorded as well."""
    minimum = Tensor([1.0, 1.0], dtype="float64", device=device)
    found = tgl.hessian(rosenbrock, minimum)
    low, high = tgl.linalg.eigvalsh(found).tolist()
    print(f"of Rosenbrock's function at its minimum: {found.tolist()}")
    print(f"curvatures {low:.3f} and {high:.1f}: {high / low:.0f} times as steep across the valley as along it")


def newton(start: Tensor, steps: int = 8) -> list[Tensor]:
    """p <- p - H^-1 grad f: near a minimum the number of right digits doubles at each step."""
    path = [start]
    for _ in range(steps):
        p = path[-1]
        (slope,) = tgl.jacobian(lambda q: rosenbrock(q)[None], p)
        path.append(p - tgl.linalg.solve(tgl.hessian(rosenbrock, p), slope))
        if tgl.max(tgl.abs(path[-1] - path[-2])) < 1e-12:
            break
    return path


def gradient_descent(start: Tensor, steps: int, rate: float = 1e-3) -> list[Tensor]:
    """p <- p - rate grad f, with a rate that the steep direction just allows."""
    path = [start]
    for _ in range(steps):
        p = path[-1].detach().requires_grad_()
        path.append(p.detach() - rate * tgl.grad(rosenbrock(p), p))
    return path


def minimise(device: str) -> None:
    """Newton's method against gradient descent on Rosenbrock's function."""
    start = Tensor([-1.2, 1.0], dtype="float64", device=device)
    by_newton, by_descent = newton(start), gradient_descent(start, 1000)
    for k, p in enumerate(by_newton):
        print(f"Newton step {k}: ({p[0]:+.12f}, {p[1]:+.12f})  f = {rosenbrock(p):.3g}")
    end = by_descent[-1]
    print(f"{len(by_descent) - 1} steps of gradient descent: ({end[0]:+.3f}, {end[1]:+.3f})  f = {rosenbrock(end):.3g}")


def chain(n: int, device: str) -> tuple[Tensor, int]:
    """Each value is made from the one before: n edges."""
    y = Tensor(0.5, device=device, requires_grad=True)
    for _ in range(n):
        y = tgl.tanh(y)
    return y, n


def fully_connected(n: int, device: str) -> tuple[Tensor, int]:
    """Each value is made from all earlier ones: 1 + 2 + ... + n edges."""
    values = [Tensor(0.5, device=device, requires_grad=True)]
    for _ in range(n):
        values.append(tgl.mean(tgl.stack(values)))
    return values[-1], n * (n + 1) // 2


def wait(device: str) -> None:
    """Until a GPU has done what it was asked for; on the CPU a call returns when its work is done."""
    if device != "cpu":
        tgl.cuda.synchronize()


def cost(device: str) -> None:
    """Backward runs one rule per edge. A chain has O(n) of them, a fully connected graph O(n^2)."""
    for build, sizes in ((chain, (1000, 2000, 4000)), (fully_connected, (100, 200, 400))):
        build(2, device)[0].backward()  # on a GPU this compiles the kernels, which is not to be timed
        for n in sizes:
            y, edges = build(n, device)
            wait(device)
            start = time.perf_counter()
            y.backward()
            wait(device)
            seconds = time.perf_counter() - start
            size = f"{build.__name__.replace('_', ' '):15s} n = {n:4d}: {edges:6d} edges"
            print(f"{size}, {1e3 * seconds:7.2f} ms, {1e6 * seconds / edges:5.2f} us each")


def higher(device: str) -> None:
    """Symbols in place of numbers: a recorded backward pass can be differentiated again, and so on."""
    x = Tensor(0.5, device=device, requires_grad=True)
    y = tgl.sin(x)
    for order in range(5):
        print(f"derivative {order} of sin at 0.5: {y:+.6f}")
        y = tgl.grad(y, x, create_graph=True)


def draw(paths: dict[str, list[Tensor]], file: Path) -> None:
    """Both paths on the level lines of Rosenbrock's function."""
    import numpy as np
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    across, up = np.meshgrid(np.linspace(-1.6, 1.6, 400), np.linspace(-3.4, 2.0, 600))
    heights = rosenbrock(Tensor(np.stack([across, up]))).numpy()
    axes.contour(across, up, heights, levels=np.logspace(-0.5, 3.5, 9), colors="0.75", linewidths=0.8)
    for (name, path), style in zip(paths.items(), ("o-", ".-")):
        points = tgl.stack(path).numpy()
        axes.plot(points[:, 0], points[:, 1], style, label=f"{name}, {len(path) - 1} steps", linewidth=1, markersize=4)
    axes.plot(1, 1, "k*", markersize=12, label="minimum")
    axes.set(xlabel="x", ylabel="y", title="(1 - x)^2 + 100 (y - x^2)^2", xlim=(-1.6, 1.6), ylim=(-3.4, 2.0))
    axes.legend(loc="lower left")
    figure.savefig(file, dpi=150)


STOPS: dict[str, Callable[[str], object]] = {
    "One number": one_number,
    "Vectors": vectors,
    "A Jacobian": jacobian,
    "A Hessian": hessian,
    "Newton's method": minimise,
    "What backward costs": cost,
    "Higher derivatives": higher,
}


def main() -> None:
    parser = argparse.ArgumentParser(description="A tour of automatic differentiation.")
    add_device(parser)
    add_plot(parser, "draw the paths of the minimisation to FILE, such as rosenbrock.png")
    options = parser.parse_args()
    check_matplotlib(parser, options)
    for number, (title, stop) in enumerate(STOPS.items(), 1):
        print(f"\n{number}. {title}" if number > 1 else f"{number}. {title}")
        stop(options.device)
    if options.plot:
        start = Tensor([-1.2, 1.0], dtype="float64")
        draw({"Newton's method": newton(start), "gradient descent": gradient_descent(start, 1000)}, options.plot)
        print(f"\npicture: {options.plot}")


if __name__ == "__main__":
    main()
