"""Checkpoints: the same gradients, bit for bit, with less kept; and the second call is the same as the first."""

import numpy as np
import pytest
from refusals import refusal, refuses

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, checkpoint, checkpoint_sequential, nn
from tinygrad_lite.autograd.graph import mode
from tinygrad_lite.errors import ArgumentError, GradientError


def leaf(values, dtype="float64"):
    return Tensor(values, dtype=dtype, requires_grad=True)


def network():
    tgl.manual_seed(1)
    return nn.Sequential(
        *(nn.Linear(5, 6), nn.Tanh(), nn.BatchNorm1d(6), nn.Dropout(0.5)),
        *(nn.Linear(6, 6), nn.ReLU(), nn.BatchNorm1d(6), nn.Linear(6, 3)),
    )


def trained_once(call):
    """Every number that a step leaves behind: gradients, buffers, and where the random stream stands."""
    model = network()
    x = tgl.random.normal((8, 5), requires_grad=True)
    y = call(model, x)
    (y * y).sum().backward()
    after = tgl.random.uniform(())
    return [g.tolist() for g in (x.grad, *[p.grad for p in model.parameters()], *model.buffers(), after)]


WAYS = {
    "one module": lambda model, x: checkpoint(model, x),
    "a function that finds the module around it": lambda model, x: checkpoint(lambda: model(x)),
    "two in a row": lambda model, x: checkpoint(model[4:], checkpoint(model[:4], x)),
    "one in another": lambda model, x: checkpoint(lambda v: checkpoint(model[4:], checkpoint(model[:4], v)), x),
    "segments of a Sequential": lambda model, x: checkpoint_sequential(model, 3, x),
    "segments of a list": lambda model, x: checkpoint_sequential(list(model), 4, x),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_training_step_is_the_same_bit_for_bit(way):
    assert trained_once(WAYS[way]) == trained_once(lambda model, x: model(x))


@pytest.mark.parametrize("optimizer", [tgl.optim.SGD, tgl.optim.Adam])
def test_several_steps_of_an_optimiser_end_at_the_same_weights(optimizer):
    def weights(call):
        model = network()
        steps = optimizer(model.parameters(), lr=0.1)
        for _ in range(3):
            steps.zero_grad()
            y = call(model, tgl.random.normal((8, 5)))
            (y * y).mean().backward()
            steps.step()
        return [p.tolist() for p in model.parameters()]

    plain = weights(lambda model, x: model(x))
    for call in WAYS.values():
        assert weights(call) == plain


def test_a_step_between_forward_and_backward_is_refused():
    model = nn.Linear(5, 2)
    steps = tgl.optim.SGD(model.parameters(), lr=0.1)
    x = tgl.random.normal((8, 5))
    first, second = checkpoint(model, x).sum(), checkpoint(model, x).sum()
    first.backward()
    steps.step()
    with pytest.raises(GradientError, match="that checkpoint saved, but it was changed in place since"):
        second.backward()


# --- what is kept -------------------------------------------------------------------------------------------


def kept_bytes(y):
    """The bytes of all the arrays that the graph behind ``y`` holds on to, those of checkpoints included."""
    arrays, seen, stack = {}, set(), [y._node]

    def note(value):
        if isinstance(value, np.ndarray):
            base = value if value.base is None else value.base
            arrays[id(base)] = base.nbytes
        elif isinstance(value, (tuple, list)):
            for item in value:
                note(item)
        elif isinstance(value, Tensor):
            note(value._data)
            visit(value._node)
        elif hasattr(value, "args"):
            note(value.args)

    def visit(node):
        if node is not None and node not in seen:
            seen.add(node)
            stack.append(node)

    while stack:
        node = stack.pop()
        note(getattr(node, "saved", ()))
        for parent in node.parents:
            visit(parent)
    return sum(arrays.values())


def test_a_chain_in_segments_of_its_square_root_keeps_the_square_root():
    chain = [tgl.sin] * 64
    x = leaf(np.linspace(-1, 1, 1000))
    one = x._data.nbytes
    plain = checkpoint_sequential(chain, 1, x)
    segments = checkpoint_sequential(chain, 8, x)
    assert kept_bytes(plain) >= 64 * one
    assert kept_bytes(segments) <= (8 + 8 + 1) * one
    expected = tgl.grad(plain.sum(), x)
    assert tgl.grad(segments.sum(), x).tolist() == expected.tolist()


def test_the_graph_behind_a_checkpoint_is_one_node():
    x, w = leaf([1.0, 2.0]), leaf([3.0, 4.0])
    h = x * 2
    y = checkpoint(lambda h: tgl.exp(h * w) + w, h)
    assert y._node.plan.row.name == "checkpoint"
    assert set(y._node.parents) == {h._node, w._node}


# --- every kind of derivative --------------------------------------------------------------------------------

FUNCTIONS = {
    "one output": lambda x: checkpoint(lambda u: tgl.exp(u) * u, tgl.sin(x)),
    "uses a value from outside": lambda x: (lambda z: checkpoint(lambda u: tgl.tanh(u) * z * x, x * z))(tgl.sin(x)),
    "two outputs": lambda x: checkpoint(lambda u: (tgl.tanh(u) * u, tgl.exp(u)), x * x),
    "nested": lambda x: checkpoint(lambda u: checkpoint(lambda v: tgl.tanh(u) * v, u * u) + checkpoint(tgl.exp, u), x),
    "an output that is an input": lambda x: checkpoint(lambda u: (u, tgl.sin(u)), x * x),
    "linear": lambda x: checkpoint(lambda u: 3 * u, x),
    "with dropout": lambda x: tgl.manual_seed(4) or checkpoint(lambda u: tgl.dropout(u * u, 0.5), x),
    "seeded inside": lambda x: checkpoint(lambda u: tgl.manual_seed(4) or tgl.dropout(u * u, 0.5), x),
}


@pytest.mark.parametrize("case", FUNCTIONS)
def test_derivatives_in_both_modes_to_third_order(case):
    assert tgl.gradcheck(FUNCTIONS[case], Tensor([0.3, -0.7, 1.1], dtype="float64"), order=3)


def test_hessian_and_hvp_go_through():
    x = Tensor([0.3, -0.7], dtype="float64")
    plain = lambda x: (tgl.exp(x[0]) * tgl.sin(x[1])).sum()
    through = lambda x: checkpoint(plain, x)
    assert tgl.hessian(through, x).tolist() == tgl.hessian(plain, x).tolist()
    v = Tensor([1.0, 2.0], dtype="float64")
    assert np.allclose(tgl.hvp(through, x, v)[1].numpy(), tgl.hvp(plain, x, v)[1].numpy(), rtol=1e-14)


def test_create_graph_connects_to_the_tensors_outside():
    x, w = leaf(2.0), leaf(3.0)
    z = x * x
    y = checkpoint(lambda: z * z * w)  # w x^4
    first = tgl.grad(y, x, create_graph=True)
    assert first.item() == 3 * 4 * 8
    assert tgl.grad(first, (x, w), retain_graph=True)[0].item() == 3 * 12 * 4
    assert tgl.grad(first, (x, w))[1].item() == 4 * 8


# --- inputs and outputs -----------------------------------------------------------------------------------------


def test_results_keep_their_form_and_what_needs_no_gradient_passes_through():
    x = leaf([1.0, -2.0])

    def function(pair, *, scale):
        a, b = pair["a"], pair["b"][0]
        return {"y": a * b * scale, "rest": [tgl.sign(a).detach(), a > 0, "text", None], "z": tgl.exp(b)}

    found = checkpoint(function, {"a": x, "b": [x]}, scale=2.0)
    assert found["rest"][0].requires_grad is False
    assert found["rest"][1].tolist() == [True, False]
    assert found["rest"][2:] == ["text", None]
    found["y"].sum().backward()  # z has no cotangent
    assert x.grad.tolist() == [4.0, -8.0]


def test_two_outputs_that_are_one_tensor_get_both_cotangents():
    x = leaf([1.0, 2.0])

    def function(u):
        y = u * u
        return y, y

    first, second = checkpoint(function, x)
    (first + 10 * second).sum().backward()
    assert x.grad.tolist() == [22.0, 44.0]


def test_without_recording_it_is_a_plain_call():
    x, seen = leaf([1.0]), []
    with tgl.no_grad():
        y = checkpoint(lambda u: seen.append(u) or u * 2, x)
    assert seen[0] is x
    assert not y.requires_grad
    assert not checkpoint(lambda u: u * 2, Tensor([1.0])).requires_grad


def test_the_arguments_are_those_of_the_call_whatever_becomes_of_the_objects():
    x = leaf([1.0, 2.0])
    h = x * 3
    y = checkpoint(lambda u: u * u, h)
    h += 100
    y.sum().backward()
    assert x.grad.tolist() == [18.0, 36.0]


def test_writing_to_an_argument_inside_does_not_reach_the_caller():
    x = leaf([1.0, 2.0])
    h = x * 3

    def function(u):
        u *= u
        return u

    checkpoint(function, h).sum().backward()
    assert h.tolist() == [3.0, 6.0]
    assert x.grad.tolist() == [18.0, 36.0]


def test_a_retained_graph_may_be_walked_again():
    x = leaf([1.0, 2.0])
    y = checkpoint(lambda u: (u * u).sum(), x)
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [4.0, 8.0]
    refuses(
        GradientError,
        lambda: y.backward(),
        "backward reached checkpoint a second time, but its saved values were freed by the first pass\n"
        "  hint  pass retain_graph=True to the first backward, or compute the result again",
    )


# --- hooks and the order of leaves --------------------------------------------------------------------------------


def test_a_leafs_hooks_run_once_on_the_whole_gradient_when_it_is_final():
    w, seen = leaf([1.0]), []
    w.register_hook(lambda g: seen.append(("hook", g.tolist())))
    w.register_post_accumulate_grad_hook(lambda t: seen.append(("after", t.grad.tolist())))
    h = w * 5  # older than the checkpoint: w's gradient is final only after it
    h.register_hook(lambda g: seen.append(("h", g.tolist())))
    y = checkpoint(lambda u: u * w, h) + w
    y.sum().backward()
    assert seen == [("h", [1.0]), ("hook", [11.0]), ("after", [11.0])]


def test_only_the_wanted_gradients_are_computed():
    x, w = leaf([2.0]), leaf([3.0])
    y = checkpoint(lambda u: u * w, x)
    assert tgl.grad(y, w).tolist() == [2.0]
    assert x.grad is None


def test_under_anomaly_detection_the_line_inside_is_named():
    x = leaf([0.0])
    with pytest.raises(tgl.errors.AnomalyError, match="sqrt made a gradient with inf"), tgl.detect_anomaly():
        checkpoint(lambda u: tgl.sqrt(u), x * 1).sum().backward()


def test_hooks_of_modules_see_the_gradients():
    layer, seen = nn.Linear(2, 2), []
    layer.register_full_backward_hook(lambda module, grad_in, grad_out: seen.append(grad_out[0].shape))
    checkpoint(layer, Tensor([[1.0, 2.0]], requires_grad=True)).sum().backward()
    assert seen == [(1, 2)]


# --- state ----------------------------------------------------------------------------------------------------------


class Counting(nn.Module):
    """A buffer that is read and changed in place by every forward."""

    def __init__(self):
        super().__init__()
        self.register_buffer("count", Tensor(1.0))

    def forward(self, x):
        y = x * self.count
        self.count += 1
        return y


def test_buffers_are_found_as_they_were_and_left_as_they_are():
    module, x = Counting(), leaf([1.0], "float32")
    y = checkpoint(module, checkpoint(module, x))  # 1 * 2
    kept = module.count
    assert kept.item() == 3
    y.sum().backward(retain_graph=True)
    y.sum().backward()
    assert module.count is kept
    assert kept.item() == 3
    assert x.grad.tolist() == [4.0]


def test_the_mode_of_a_module_is_that_of_the_call():
    module, x = nn.Dropout(0.5), leaf(np.ones(64))
    y = checkpoint(module, x)
    module.eval()
    y.sum().backward()
    assert x.grad.tolist() == y.tolist()
    assert module.training is False


def test_random_numbers_are_drawn_once_and_seen_twice():
    drawn = []

    def function(u):
        drawn.append(tgl.random.uniform((3,)).tolist())
        return u * u

    y = checkpoint(function, leaf([1.0, 2.0, 3.0]))
    state = tgl.get_rng_state()
    tgl.random.uniform((3,))
    later = tgl.get_rng_state()
    y.sum().backward()
    assert drawn[0] == drawn[1]
    assert tgl.get_rng_state() == later
    assert later["counter"] == state["counter"] + 1


# --- what is refused ----------------------------------------------------------------------------------------------


def changed(how):
    x, w, frozen = leaf([1.0]), leaf([2.0]), leaf([3.0])
    frozen.requires_grad = False
    y = checkpoint(lambda u: tgl.exp(u + w) * frozen, x)
    with tgl.no_grad():
        {"argument": x, "captured": w, "frozen": frozen}[how][...] = 7.0
    return y, (x, w)


@pytest.mark.parametrize(
    ("how", "text"),
    [
        ("argument", r"inputs\[1\] that checkpoint saved, but it was changed in place since"),
        ("captured", r"inputs\[0\] that checkpoint saved, but it was changed in place since"),
        ("frozen", "when it is called again, but it computed other values"),
    ],
)
def test_a_change_before_backward_is_refused(how, text):
    y, leaves = changed(how)
    with pytest.raises(GradientError, match=text):
        y.sum().backward()
    assert [x.grad for x in leaves] == [None, None]


def test_the_whole_text_of_a_change_in_place():
    y, _ = changed("argument")
    refuses(
        GradientError,
        lambda: y.sum().backward(),
        "backward needs the value of inputs[1] that checkpoint saved, but it was changed in place since (1 time)\n"
        "  inputs[1]  shape (1,), float64, cpu\n"
        "  hint       run backward before the update, or compute the result again after it",
    )


def unsteady(*steps):
    """A function that does something else at every call."""
    rest = iter(steps)
    return lambda u: next(rest)(u)


OTHER = leaf([5.0, 6.0])
DIFFERENT = {
    "it returned float64 (1, 2) instead of float64 (2,)": (lambda u: u * u, lambda u: (u * u).reshape((1, 2))),
    "it returned no recorded tensor instead of float64 (2,)": (lambda u: u * u, lambda u: u.detach()),
    "it drew more random numbers": (lambda u: u * u, lambda u: u * u * tgl.random.uniform((2,))),
    "it drew fewer random numbers": (lambda u: u * tgl.random.uniform((2,)), lambda u: u * u),
    "it used other tensors": (lambda u: u * u, lambda u: u * OTHER),
    "it computed other values": (lambda u: tgl.softmax(u * 2.0, 0), lambda u: tgl.softmax(u * 9.0, 0)),
    "it ran cos of shape (2,), float64 instead of sin of shape (2,), float64": (tgl.sin, tgl.cos),
    "it ran nothing more instead of exp of shape (2,), float64": (lambda u: tgl.exp(tgl.exp(u)), tgl.exp),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_a_second_call_that_differs_is_refused_in_words(what):
    x = leaf([1.0, 2.0])
    y = checkpoint(unsteady(*DIFFERENT[what]), x).sum()
    refuses(
        GradientError,
        lambda: y.backward(),
        f"checkpoint needs a function that does the same when it is called again, but {what}\n"
        "  hint  take random numbers from tinygrad_lite.random, and pass what changes between the calls as an argument",
    )
    assert x.grad is None


def test_an_error_in_the_second_call_leaves_everything_as_it_was():
    module, x = Counting(), leaf([1.0], "float32")

    def stop(u):
        raise RuntimeError("stopped")

    y = checkpoint(unsteady(module, lambda u: module(u) * stop(u)), x * 2)
    kept, state = module.count, tgl.get_rng_state()
    with pytest.raises(RuntimeError, match="stopped"):
        y.sum().backward()
    assert x.grad is None
    assert module.count is kept
    assert kept.item() == 2
    assert tgl.get_rng_state() == state
    assert mode.tape is None
    assert tgl.is_grad_enabled()


def test_an_error_in_the_first_call_passes_through():
    with pytest.raises(ZeroDivisionError):
        checkpoint(lambda u: u * (1 / 0), leaf([1.0]))
    assert mode.tape is None


def test_a_change_that_only_reorders_the_values_is_noticed():
    x = leaf([1.0, 2.0])
    factor = [Tensor([3.0, 4.0])]
    y = checkpoint(lambda u: u * factor[0], x).sum()
    factor[0] = Tensor([8.0, 1.5])
    with pytest.raises(GradientError, match="it computed other values"):
        y.backward()


def test_refused_arguments():
    text = refusal(ArgumentError, lambda: checkpoint(lambda x, steps: x * sum(steps), leaf([1.0]), steps=iter([1])))
    assert text.startswith("checkpoint needs arguments that can be read twice, but got an iterator\n  steps  <list_")
    assert text.endswith("\n  hint   pass a list of what it yields")
    refuses(
        ArgumentError,
        lambda: checkpoint(3),
        (
            "checkpoint needs a function\n"
            "  function  3\n"
            "  hint      pass the function itself and what it is called with: checkpoint(f, x)"
        ),
    )
    refuses(
        ArgumentError,
        lambda: checkpoint_sequential([tgl.sin], 2, leaf([1.0])),
        "checkpoint_sequential needs from 1 to 1 segments for 1 functions, but got 2",
    )
