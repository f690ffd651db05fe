"""Fit a pendulum to noisy measurements by differentiating through its simulation.

    python examples/fit_pendulum.py
    python examples/fit_pendulum.py --noise 0.2 --plot pendulum.png
    python examples/fit_pendulum.py --device cuda

The angle obeys angle'' = -(g / length) sin(angle) - damping angle'. The simulation is 300 steps of Runge and Kutta's
method on tensors, so the gradient of the misfit with respect to length and damping comes out of backward like
that of any network; Adam does the rest. A Jacobian at the end says how well the data determine what was fitted.
Each operation works on four numbers, one per run: a GPU computes the same, but is made for more at a time.
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from arguments import add_device, add_plot, check_matplotlib, integer, number

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, optim

GRAVITY = 9.81  # m/s^2
STEP = 0.02  # s
STEPS = 300
#: The pendulum is let go from each of these angles (in radians); large ones show that a pendulum is no spring.
RELEASED = (0.5, 1.2, 2.0, 2.8)


def simulate(length: Tensor, damping: Tensor) -> Tensor:
    """The angles of all runs at every step, of shape (STEPS + 1, runs), by the classical Runge-Kutta method."""

    def acceleration(angle: Tensor, velocity: Tensor) -> Tensor:
        return -(GRAVITY / length) * tgl.sin(angle) - damping * velocity

    angle = Tensor(RELEASED, dtype="float64", device=length.device)
    velocity = tgl.zeros_like(angle)
    angles = [angle]
    h = STEP
    for _ in range(STEPS):
        a1, v1 = acceleration(angle, velocity), velocity
        a2, v2 = acceleration(angle + h / 2 * v1, velocity + h / 2 * a1), velocity + h / 2 * a1
        a3, v3 = acceleration(angle + h / 2 * v2, velocity + h / 2 * a2), velocity + h / 2 * a2
        a4, v4 = acceleration(angle + h * v3, velocity + h * a3), velocity + h * a3
        angle = angle + h / 6 * (v1 + 2 * v2 + 2 * v3 + v4)
        velocity = velocity + h / 6 * (a1 + 2 * a2 + 2 * a3 + a4)
        angles.append(angle)
    return tgl.stack(angles)


def descend(measured: Tensor, start: tuple[float, float], iterations: int) -> Tensor:
    """Length (m) and damping (1/s) near the minimum of the mean squared error, by Adam on their logarithms."""
    start_values = Tensor(start, dtype="float64", device=measured.device)
    logarithms = tgl.log(start_values).requires_grad_()  # whatever they become, both are positive
    optimizer = optim.Adam([logarithms], lr=0.1)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, iterations)
    for iteration in range(iterations):
        length, damping = tgl.exp(logarithms)
        loss = tgl.mean((simulate(length, damping) - measured) ** 2)
        if iteration % 10 == 0:
            report(f"Adam {iteration:3d}", length, damping, loss)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return tgl.exp(logarithms).detach()


def refine(measured: Tensor, start: Tensor, iterations: int = 3) -> tuple[Tensor, Tensor]:
    """The least-squares solution by Gauss and Newton's method, and the standard errors of length and damping.

    p <- p - (J^T J)^-1 J^T r, and the errors are the square roots of the diagonal of s^2 (J^T J)^-1.
    J has 1204 rows but two columns only: forward mode needs one pass for each.
    """
    p = start
    for iteration in range(iterations):
        residuals = (simulate(p[0], p[1]) - measured).flatten()
        columns = tgl.jacobian(lambda q: simulate(q[0], q[1]).flatten(), p, strategy="forward-mode")
        report(f"Gauss-Newton {iteration}", p[0], p[1], tgl.mean(residuals**2))
        normal = columns.T @ columns
        p = p - tgl.linalg.solve(normal, columns.T @ residuals)
    variance = tgl.sum(residuals**2) / (residuals.size - p.size)
    return p, tgl.sqrt(variance * tgl.linalg.diagonal(tgl.linalg.inv(normal)))


def report(step: str, length: Tensor, damping: Tensor, loss: Tensor) -> None:
    error = loss.item() ** 0.5
    print(f"{step:14s}  error {error:.4f} rad   length {length:.4f} m   damping {damping:.4f} 1/s")


def draw(measured: Tensor, fitted: Tensor, file: Path) -> None:
    """Measurements as points, the fitted simulation as lines."""
    import numpy as np
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    times = STEP * np.arange(STEPS + 1)
    curves = simulate(fitted[0], fitted[1]).numpy()
    for run, angle in enumerate(RELEASED):
        (line,) = axes.plot(times, curves[:, run], label=f"released at {angle:g} rad")
        axes.plot(times, measured.numpy()[:, run], ".", color=line.get_color(), markersize=2, alpha=0.5)
    axes.set(xlabel="time in s", ylabel="angle in rad", title="Measured (points) and fitted (lines)")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(file, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description="Fit a pendulum by differentiating through its simulation.")
    positive = number(1e-6, math.inf, "a positive number")
    parser.add_argument("--length", type=positive, default=1.3, help="the true length in m (default: %(default)s)")
    parser.add_argument("--damping", type=positive, default=0.25, help="the true damping in 1/s (default: %(default)s)")
    parser.add_argument(
        "--noise", type=number(0, math.inf, "a number of at least 0"), default=0.1,
        help="standard deviation of the measurements in rad (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument("--iterations", type=integer(1), default=80, help="steps of Adam (default: %(default)s)")
    parser.add_argument("--seed", type=integer(0, 2**64 - 1), default=0, help="of the noise (default: %(default)s)")
    add_device(parser)
    add_plot(parser, "draw measurements and fit to FILE, such as pendulum.png")
    options = parser.parse_args()
    check_matplotlib(parser, options)

    tgl.manual_seed(options.seed)
    truth = Tensor([options.length, options.damping], dtype="float64", device=options.device)
    clean = simulate(truth[0], truth[1])
    measured = clean + tgl.random.normal(clean.shape, 0.0, options.noise, dtype="float64", device=options.device)
    print(
        f"{len(RELEASED)} runs of {STEPS * STEP:g} s, {measured.size} angles measured with noise {options.noise:g} rad"
    )
    near = descend(measured, start=(1.0, 0.1), iterations=options.iterations)
    fitted, errors = refine(measured, near)
    for name, unit, value, error, true in zip(("length", "damping"), ("m", "1/s"), fitted, errors, truth):
        print(f"{name:7s} = {value:.4f} +- {error:.4f} {unit:3s}  (true: {true:g})")
    if options.plot:
        draw(measured, fitted, options.plot)
        print(f"picture: {options.plot}")


if __name__ == "__main__":
    main()
