"""Memory reports: every byte by hand, shared memory once, and nothing changed."""

from __future__ import annotations

import gc
import re

import numpy as np
import pytest
from refusals import refuses

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, nn
from tinygrad_lite.autograd.tools.holdings import buffer_of, size_in_bytes
from tinygrad_lite.autograd.tools.memory import Holder, MemoryReport
from tinygrad_lite.errors import DTypeError


def holder(report: MemoryReport, kind: str, name: str = "") -> Holder:
    (found,) = [h for h in report.holders if (h.kind, h.name) == (kind, name)]
    return found


def test_a_graph_counted_by_hand():
    x = Tensor(np.ones((10, 3), np.float32), requires_grad=True)
    h = tgl.exp(x)
    loss = (h * x).sum()
    report = tgl.memory_report({"loss": loss})
    assert str(report) == (
        "holder           arrays  bytes  shared\n"
        "leaves                1    120\n"
        "saved: exp            1    120\n"
        "tensors: loss         1      4\n"
        "saved: multiply       2      0     240\n"
        "total                      244\n"
        "loss keeps 3 operations alive"
    )
    assert repr(report) == str(report)
    assert report.total == 244
    assert report.by_kind() == {"leaves": 120, "saved": 120, "tensors": 4}
    assert (report["saved", "exp"], report["saved", "multiply"], report["saved", "sum"]) == (120, 0, 0)
    assert report.graphs == (("loss", 3),)


def test_outputs_have_names_or_numbers():
    x = Tensor([1.0], requires_grad=True)
    assert tgl.memory_report(x * 2.0).graphs == (("output", 1),)
    assert tgl.memory_report([x * 2.0, x]).graphs == (("outputs[0]", 1),)
    assert tgl.memory_report().total == 0


def test_what_backward_frees_is_gone():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = tgl.exp(x).sum()
    assert tgl.memory_report(y)["saved", "exp"] == 8
    y.backward()
    report = tgl.memory_report(y)
    assert report.by_kind() == {"leaves": 8, "gradients": 8, "tensors": 4}


def test_a_view_holds_all_of_its_memory():
    base = Tensor(np.ones((100, 3), np.float32))
    x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    report = tgl.memory_report(x * base[5])
    assert holder(report, "saved", "multiply").nbytes == 100 * 3 * 4
    wide = np.broadcast_to(np.ones(3, np.float32), (1000, 3))
    assert size_in_bytes(buffer_of(wide)) == 12


def test_a_model_before_and_after_it_has_an_optimiser():
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3))
    parameters = 4 * (4 * 3 + 3 + 3 + 3)
    buffers = sum(b.size * b.dtype.itemsize for b in model.buffers())
    assert tgl.memory_report(model=model).by_kind() == {"parameters": parameters, "buffers": buffers}
    optimizer = tgl.optim.Adam(model.parameters(), lr=0.1)
    model(Tensor(np.arange(20.0, dtype=np.float32).reshape(5, 4))).sum().backward()
    optimizer.step()
    slot = model[0].weight._node.slot
    # 3, 3, 3 and 12 elements, each from a multiple of 64 bytes on, and 64 bytes to align the first.
    arena = 64 * 4 + 64
    assert slot[0].values.size * 4 + 64 == arena
    report = tgl.memory_report(model=model, optimizer=optimizer)
    assert holder(report, "parameters").nbytes == arena
    assert holder(report, "gradients").nbytes == arena
    assert holder(report, "gradients").arrays == 4
    assert report["optimizer state", "exp_avg"] == arena
    assert report["optimizer state", "exp_avg_sq"] == arena
    assert report.total == 4 * arena + buffers
    assert str(tgl.memory_report(optimizer=optimizer)).count("\n") == 5


def test_the_place_of_a_gradient_in_an_arena_is_held_without_one():
    x = Tensor([1.0], requires_grad=True)
    optimizer = tgl.optim.SGD([x], lr=0.1)
    report = tgl.memory_report(optimizer=optimizer)
    assert report.by_kind() == {"parameters": 4 * 16 + 64, "gradients": 4 * 16 + 64}


def test_a_weight_that_an_operation_saved_is_the_models():
    layer = nn.Linear(4, 3, bias=False)
    x = Tensor(np.ones((2, 4), np.float32))
    report = tgl.memory_report(layer(x), model=layer)
    linear = holder(report, "saved", "linear")
    assert (linear.nbytes, linear.shared) == (x.size * 4, 4 * 3 * 4 + 2 * 3 * 4)  # x; the weight and the output
    assert report.total == 4 * 3 * 4 + 2 * 4 * 4 + 2 * 3 * 4


def test_what_a_fast_version_keeps_for_itself_is_included():
    logits = Tensor(np.zeros((6, 5), np.float32), requires_grad=True)
    target = Tensor(np.zeros(6, np.int64))
    loss = nn.functional.cross_entropy(logits, target)
    report = tgl.memory_report(loss)
    # The target, the exponentials and their sums; the logits are the leaf.
    assert report["saved", "softmax_cross_entropy"] == 6 * 8 + 6 * 5 * 4 + 6 * 4


def test_gradients_that_were_asked_for_inside_a_graph_are_gradients():
    x = Tensor([1.0, 2.0], requires_grad=True)
    h = x * 2.0
    h.retain_grad()
    y = h.sum()
    y.backward(retain_graph=True)
    # Where nothing stands between them, two gradients may share memory: then it is counted once.
    memory = {id(buffer_of(g._data)): size_in_bytes(buffer_of(g._data)) for g in (x.grad, h.grad)}
    report = tgl.memory_report(y)
    assert holder(report, "gradients").arrays == 2
    assert holder(report, "gradients").nbytes == sum(memory.values())


def test_anomaly_mode_adds_modules_and_lines():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    with tgl.detect_anomaly():
        y = model(Tensor([[1.0, 2.0]]))
    report = tgl.memory_report(y, model=model)
    places = [h.where for h in report.holders if (h.kind, h.name) == ("saved", "linear")]
    assert len(places) == 2
    for i, where in enumerate(sorted(places)):
        assert re.fullmatch(rf"sequential.{i}: Linear\(2 -> 2\), test_memory_report.py:\d+: y = model\(.*\)", where)


def test_a_checkpoint_holds_its_arguments():
    x = Tensor(np.ones(50, np.float32), requires_grad=True)
    constant = Tensor(np.ones(50, np.float32))
    y = tgl.checkpoint(lambda x, c: tgl.exp(tgl.sin(x) * c), x, constant)
    report = tgl.memory_report(y)
    assert (report["leaves", ""], report["saved", "checkpoint"]) == (200, 200)


def test_tensors_that_are_alive_are_found_on_request():
    gc.collect()
    x = Tensor(np.ones((7, 11, 13), np.float32), requires_grad=True)
    forgotten = tgl.exp(x)
    name = "(7, 11, 13) float32 from exp"
    assert name not in dict(tgl.memory_report().graphs)
    report = tgl.memory_report(alive=True)
    assert dict(report.graphs)[name] == 1
    assert report["saved", "exp"] >= 4 * 7 * 11 * 13
    assert holder(report, "alive", name).shared == 4 * 7 * 11 * 13
    del forgotten
    assert name not in dict(tgl.memory_report(alive=True).graphs)


def test_garbage_is_not_alive():
    class Knot:
        pass

    knot = Knot()
    knot.itself, knot.tensor = knot, Tensor(np.zeros((3, 1, 7), np.float32))
    del knot
    assert tgl.memory_report(alive=True)["alive", "(3, 1, 7) float32"] == 0


def test_a_report_changes_nothing_and_keeps_nothing():
    x = Tensor([1.0, 2.0], requires_grad=True)
    y = tgl.exp(x).sum()
    node = y._node.parents[0]
    before = gc.get_referrers(node.saved[0])
    report = tgl.memory_report(y)
    assert len(gc.get_referrers(node.saved[0])) == len(before)
    y.backward()
    assert report["saved", "exp"] == 8
    assert x.grad.tolist() == tgl.exp(x).tolist()


@pytest.mark.parametrize(
    "outputs, text",
    [([1.0], "outputs[0]  1.0"), ({"loss": None}, "loss  None"), (["a"], "outputs[0]  'a'"), (3, "output  3")],
)
def test_outputs_must_be_tensors(outputs, text):
    need = "memory_report needs tensors as outputs"
    refuses(DTypeError, lambda: tgl.memory_report(outputs), f"{need}\n  {text}")


def test_model_and_optimiser_must_be_what_their_names_say():
    need = "memory_report needs a module as model and an optimiser as optimizer"
    refuses(DTypeError, lambda: tgl.memory_report(model=3), f"{need}\n  model  3")
    refuses(DTypeError, lambda: tgl.memory_report(optimizer=3), f"{need}\n  optimizer  3")
