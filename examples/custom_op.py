"""Operations of your own: a forward and its rules, checked before they are used, trained like any other.

    python examples/custom_op.py
    python examples/custom_op.py --device cuda

Two operations are made. ``log_cosh`` is a loss, smooth at 0 and linear far out, written so that it never overflows; its
rule is checked against differences of its values, and a planted mistake in it is found. ``round_through`` rounds
and lets gradients pass as if it had not (the straight-through estimator of Bengio et al., 2013): a rule
that is deliberately not the derivative. With both a line with coefficients in quarters is fitted to data with outliers.
"""

from __future__ import annotations

import argparse
import math
from typing import Any

from arguments import add_device

import tinygrad_lite as tgl
from tinygrad_lite.errors import GradientError


# d/dx log cosh x = tanh x. The Jacobian is diagonal, so one function serves reverse and forward mode.
@tgl.operation(x=tgl.Rule.diagonal(lambda xp, g, x: g * xp.tanh(x)))
def log_cosh(xp: Any, x: Any) -> Any:
    """log(cosh(x)) = |x| + log(1 + exp(-2 |x|)) - log(2), finite for every finite x."""
    return xp.abs(x) + xp.log1p(xp.exp(-2.0 * xp.abs(x))) - math.log(2.0)


# The same forward with a mistake in its rule: the sign that everyone forgets once.
@tgl.operation(x=tgl.Rule.diagonal(lambda xp, g, x: -g * xp.tanh(x)))
def wrong_log_cosh(xp: Any, x: Any) -> Any:
    """As above."""
    return xp.abs(x) + xp.log1p(xp.exp(-2.0 * xp.abs(x))) - math.log(2.0)


# What is needed is only the vjp; forward mode derives the rest from it.
@tgl.operation(x=lambda xp, g: g)
def round_through(xp: Any, x: Any, /, steps: int = 4) -> Any:
    """x rounded to multiples of 1 / steps."""
    return xp.round(x * steps) / steps


def check(device: str) -> None:
    """Compare the rules of both losses with differences of their values."""
    x = tgl.linspace(-3.0, 3.0, 6, dtype="float64", device=device)
    print(f"log_cosh: {log_cosh.check(x).conclusion}, first and second order, reverse and forward mode")
    try:
        wrong_log_cosh.check(x)
    except GradientError as error:
        blame, verdict = str(error).splitlines()[:2]
        print(f"a planted mistake: {blame}\n {verdict.strip()}")


def fit(device: str) -> tuple[float, float]:
    """Slope and intercept, in quarters, of points on y = 1.75 x - 0.5 with noise and a few outliers."""
    tgl.manual_seed(0)
    x = tgl.random.uniform((200,), -2.0, 2.0, device=device)
    y = 1.75 * x - 0.5 + tgl.random.normal((200,), std=0.1, device=device)
    y = tgl.where(tgl.random.uniform((200,), device=device) < 0.05, y + 20.0, y)
    slope, intercept = (tgl.Tensor(0.0, device=device, requires_grad=True) for _ in range(2))
    optimizer = tgl.optim.Adam([slope, intercept], lr=0.02)
    for step in range(101):
        line = round_through(slope) * x + round_through(intercept)
        loss = log_cosh(line - y).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 25 == 0:
            print(f"step {step:3d}: loss {loss.item():.3f}")
    return round_through(slope).item(), round_through(intercept).item()


def main() -> None:
    parser = argparse.ArgumentParser(description="Two operations of your own, checked and used in training.")
    add_device(parser)
    device = parser.parse_args().device
    check(device)
    a, b = fit(device)
    print(f"y = {a} x {'-' if b < 0 else '+'} {abs(b)}")


if __name__ == "__main__":
    main()
