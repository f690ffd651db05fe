"""Whole models against PyTorch: weights loaded both ways, logits, gradients, batch norm's trajectory."""

import numpy as np
import pytest

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, nn

pytestmark = pytest.mark.needs("torch")


def ours():
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(12, 8),
        nn.BatchNorm1d(8),
        nn.Tanh(),
        nn.Linear(8, 7),
        nn.ReLU(),
        nn.Linear(7, 6, bias=False),
        nn.Sigmoid(),
        nn.Sequential(nn.Linear(6, 5), nn.Softplus(), nn.LogSoftmax(1)),
    ).double()


def theirs(torch):
    t = torch.nn
    return t.Sequential(
        t.Flatten(),
        t.Linear(12, 8),
        t.BatchNorm1d(8),
        t.Tanh(),
        t.Linear(8, 7),
        t.ReLU(),
        t.Linear(7, 6, bias=False),
        t.Sigmoid(),
        t.Sequential(t.Linear(6, 5), t.Softplus(), t.LogSoftmax(1)),
    ).double()


def close(a, b, tolerance=1e-12):
    np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


def check_equal(torch, mine, other):
    """Outputs in both modes and all gradients on the same data."""
    x, labels = np.random.default_rng(0).normal(size=(9, 3, 4)), np.arange(9) % 5
    for mode in (True, False):
        mine.train(mode)
        other.train(mode)
        mine.zero_grad()
        other.zero_grad()
        y, ty = mine(Tensor(x)), other(torch.tensor(x))
        close(y.detach().numpy(), ty.detach().numpy())
        nn.NLLLoss()(y, labels).backward()
        torch.nn.NLLLoss()(ty, torch.tensor(labels)).backward()
        for (name, p), (their_name, q) in zip(mine.named_parameters(), other.named_parameters(), strict=True):
            assert name == their_name
            close(p.grad.numpy(), q.grad.numpy())


def test_names_shapes_and_dtypes_are_pytorchs(torch):
    state, their_state = ours().state_dict(), theirs(torch).state_dict()
    assert list(state) == list(their_state)
    for name, value in state.items():
        assert value.shape == tuple(their_state[name].shape), name
        assert str(value.dtype) == str(their_state[name].dtype).removeprefix("torch."), name


def test_their_weights_in_our_model(torch):
    mine, other = ours(), theirs(torch)
    result = mine.load_state_dict({name: value.numpy() for name, value in other.state_dict().items()})
    assert result == ([], [])
    check_equal(torch, mine, other)


def test_our_weights_in_their_model(torch):
    mine, other = ours(), theirs(torch)
    other.load_state_dict({name: torch.tensor(value.numpy()) for name, value in mine.state_dict().items()})
    check_equal(torch, mine, other)


def test_weights_travel_through_files(torch, tmp_path):
    peer = pytest.importorskip("safetensors.torch")
    mine, other = ours(), theirs(torch)
    peer.save_file(other.state_dict(), tmp_path / "theirs.safetensors")
    mine.load_state_dict(tgl.load(tmp_path / "theirs.safetensors"))
    check_equal(torch, mine, other)
    mine = ours()
    tgl.save(mine, tmp_path / "ours.safetensors")
    other.load_state_dict(peer.load_file(tmp_path / "ours.safetensors"))
    check_equal(torch, mine, other)


@pytest.mark.parametrize("dtype, tolerance", [("float64", 1e-12), ("float32", 1e-5)])
@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5)])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"momentum": None},
        {"momentum": 0.5, "eps": 0.3},
        {"affine": False},
        {"track_running_stats": False},
    ],
)
def test_batch_norms_trajectory(torch, options, shape, dtype, tolerance):
    kind = getattr(torch, dtype)
    mine, other = nn.BatchNorm1d(3, **options).to(dtype), torch.nn.BatchNorm1d(3, **options).to(kind)
    rng = np.random.default_rng(3)
    if options.get("affine", True):
        start = {"weight": rng.normal(size=3).astype(dtype), "bias": rng.normal(size=3).astype(dtype)}
        mine.load_state_dict(start, strict=False)
        other.load_state_dict({name: torch.tensor(value) for name, value in start.items()}, strict=False)
    for step in range(6):
        mode = step % 3 != 2
        mine.train(mode)
        other.train(mode)
        data = (rng.normal(size=shape) * 3 + 1).astype(dtype)
        x, tx = Tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
        mine.zero_grad()
        other.zero_grad()
        y, ty = mine(x), other(tx)
        close(y.detach().numpy(), ty.detach().numpy(), tolerance)
        weights = rng.normal(size=shape).astype(dtype)
        (y * Tensor(weights)).sum().backward()
        (ty * torch.tensor(weights)).sum().backward()
        close(x.grad.numpy(), tx.grad.numpy(), tolerance)
        for p, q in zip(mine.parameters(), other.parameters(), strict=True):
            close(p.grad.numpy(), q.grad.numpy(), tolerance)
        for (name, b), (their_name, c) in zip(mine.named_buffers(), other.named_buffers(), strict=True):
            assert name == their_name
            close(b.numpy(), c.numpy(), tolerance)


def test_linears_start_has_pytorchs_distribution(torch):
    """Two-sample Kolmogorov-Smirnov statistic of 20,000 weights each, 0.1 % level."""
    torch.manual_seed(0)
    tgl.manual_seed(0)
    mine = np.sort(nn.Linear(200, 100).weight.detach().numpy(), axis=None)
    other = np.sort(torch.nn.Linear(200, 100).weight.detach().numpy(), axis=None)
    every = np.concatenate([mine, other])
    distance = abs(np.searchsorted(mine, every) - np.searchsorted(other, every)).max() / len(mine)
    assert distance < 1.95 * np.sqrt(2 / len(mine))


def test_backward_hooks_see_what_pytorchs_see(torch):
    mine, other = ours(), theirs(torch)
    mine.load_state_dict({name: value.numpy() for name, value in other.state_dict().items()})
    seen, their_seen = [], []
    for model, log in ((mine, seen), (other, their_seen)):
        for place in (3, 4, 8):
            model[place].register_full_backward_hook(lambda m, gi, go, log=log: log.append((*gi, *go)))
    x = np.random.default_rng(0).normal(size=(5, 3, 4))
    mine(Tensor(x)).sum().backward()
    other(torch.tensor(x)).sum().backward()
    for a, b in zip(seen, their_seen, strict=True):
        for g, h in zip(a, b, strict=True):
            close(g.numpy(), h.numpy())
