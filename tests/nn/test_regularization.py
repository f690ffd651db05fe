"""l2_penalty: half lambda times the squared norm of all parameters."""

import numpy as np
import pytest
from refusals import refuses

import tinygrad_lite as tgl
from tinygrad_lite import errors, nn


def test_value_and_gradient():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)).double()
    penalty = nn.l2_penalty(model.parameters(), 0.3)
    squares = sum((p.detach().numpy() ** 2).sum() for p in model.parameters())
    assert penalty.item() == pytest.approx(0.15 * squares, rel=1e-14)
    penalty.backward()
    for p in model.parameters():
        np.testing.assert_allclose(p.grad.numpy(), 0.3 * p.detach().numpy(), rtol=1e-14)


def test_it_can_be_differentiated_twice():
    p = nn.Parameter(np.array([1.0, 2.0]))
    g = tgl.grad(nn.l2_penalty([p], 0.5), p, create_graph=True)
    assert tgl.grad(g.sum(), p).tolist() == [0.5, 0.5]


def test_refused():
    p = nn.Parameter([1.0])
    text = (
        "l2_penalty needs a strength of at least 0, but got -1.0\n"
        "  hint  the penalty is added to a loss that becomes smaller"
    )
    refuses(errors.ArgumentError, lambda: nn.l2_penalty([p], -1.0), text)
    text = (
        "l2_penalty needs a strength of at least 0, but got nan\n"
        "  hint  the penalty is added to a loss that becomes smaller"
    )
    refuses(errors.ArgumentError, lambda: nn.l2_penalty([p], float("nan")), text)
    text = (
        "l2_penalty needs at least one parameter\n"
        "  hint  an iterator such as model.parameters() gives its tensors only once: was it used before?"
    )
    refuses(errors.ArgumentError, lambda: nn.l2_penalty(nn.ReLU().parameters(), 0.1), text)
