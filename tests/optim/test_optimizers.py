"""What optimisers do to parameters, gradients, memory and state."""

import copy
import tracemalloc

import numpy as np
import pytest

import tinygrad_lite as tgl
from tinygrad_lite import errors, optim

OPTIMIZERS = ["SGD", "Adagrad", "RMSprop", "Adam", "AdamW"]
VARIANTS = {
    "sgd": lambda params: optim.SGD(params, lr=0.1),
    "sgd, all": lambda params: optim.SGD(params, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    "adagrad": lambda params: optim.Adagrad(params, lr=0.1, weight_decay=0.1),
    "rmsprop": lambda params: optim.RMSprop(params, lr=0.1),
    "rmsprop, all": lambda params: optim.RMSprop(params, lr=0.1, momentum=0.9, centered=True, weight_decay=0.1),
    "adam": lambda params: optim.Adam(params, lr=0.1, weight_decay=0.1),
    "adamw": lambda params: optim.AdamW(params, lr=0.1),
}


def leaf(values, dtype=np.float64):
    return tgl.Tensor(np.array(values, dtype), requires_grad=True)


def leaves(*shapes, dtype=np.float32, seed=0):
    rng = np.random.default_rng(seed)
    return [leaf(rng.normal(size=shape), dtype) for shape in shapes]


def set_grads(tensors, seed=0):
    rng = np.random.default_rng(seed)
    for tensor in tensors:
        tensor.grad = tgl.Tensor(rng.normal(size=tensor.shape).astype(tensor.dtype))


def values(tensors):
    return [tensor.detach().numpy().copy() for tensor in tensors]


# The lecture's formulas ---------------------------------------------------------------------------------


def lecture_sgd(w, g, k, memory):
    return w - 0.1 * g


def lecture_adagrad(w, g, k, memory):
    memory["G"] = memory.get("G", 0) + g * g
    return w - 0.1 / np.sqrt(memory["G"]) * g


def lecture_rmsprop(w, g, k, memory):
    memory["v"] = 0.9 * memory.get("v", 0) + (1 - 0.9) * g**2
    return w - 0.1 / np.sqrt(memory["v"]) * g


def lecture_adam(w, g, k, memory):
    memory["m"] = 0.9 * memory.get("m", 0) + (1 - 0.9) * g
    memory["v"] = 0.99 * memory.get("v", 0) + (1 - 0.99) * g**2
    m, v = memory["m"] / (1 - 0.9 ** (k + 1)), memory["v"] / (1 - 0.99 ** (k + 1))
    return w - 0.1 * m / np.sqrt(v)


LECTURE = [
    (lecture_sgd, lambda p: optim.SGD(p, lr=0.1)),
    (lecture_adagrad, lambda p: optim.Adagrad(p, lr=0.1, eps=0)),
    (lecture_rmsprop, lambda p: optim.RMSProp(p, lr=0.1, alpha=0.9, eps=0)),
    (lecture_adam, lambda p: optim.Adam(p, lr=0.1, betas=(0.9, 0.99), eps=0)),
]


@pytest.mark.parametrize("formula, make", LECTURE)
def test_without_eps_the_formula_is_the_lectures(formula, make):
    x, w, memory = leaf([1.0, -2.0, 3.0]), np.array([1.0, -2.0, 3.0]), {}
    optimizer = make([x])
    rng = np.random.default_rng(1)
    for k in range(50):
        g = rng.normal(size=3)
        x.grad = tgl.Tensor(g)
        optimizer.step()
        w = formula(w, g, k, memory)
        np.testing.assert_allclose(x.detach().numpy(), w, rtol=1e-12)


ZERO_EPS = {
    "Adagrad": {},
    "RMSprop": {},
    "RMSprop, centered": {"centered": True},
    "RMSprop, momentum": {"momentum": 0.9},
    "Adam": {},
    "AdamW": {"weight_decay": 0},
}


@pytest.mark.parametrize("eps", [0, 1e-300])  # 1e-300 rounds to 0 in float32
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize("name", ZERO_EPS)
def test_without_eps_a_zero_gradient_leaves_the_weight_alone(name, dtype, eps):
    x = leaf([1.5, -2.0, 3.0], dtype)
    optimizer = getattr(optim, name.split(",")[0])([x], lr=0.25, eps=eps, **ZERO_EPS[name])
    for _ in range(5):
        x.grad = tgl.Tensor(np.array([0, 1, 0], dtype))
        optimizer.step()
    assert x.tolist()[::2] == [1.5, 3.0]
    assert np.isfinite(x.tolist()[1])


def test_centered_rmsprop_survives_a_gradient_without_variance():
    x = leaf([1.0], np.float32)
    optimizer = optim.RMSprop([x], lr=1e-6, alpha=0.5, centered=True)
    for _ in range(200):
        x.grad = tgl.Tensor(np.array([0.1], np.float32))
        optimizer.step()
    assert np.isfinite(x.item())


# Steps --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradients_are_only_read(variant):
    params = leaves((3, 4), (5,))
    optimizer = VARIANTS[variant](params)
    for seed in range(3):
        set_grads(params, seed)
        before = [p.grad.numpy().copy() for p in params]
        optimizer.step()
        assert all(np.array_equal(p.grad.numpy(), g) for p, g in zip(params, before, strict=True))


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_step_is_the_same_alone_and_in_company(variant):
    """Blocks, arenas and threads never change a number."""
    shapes = [(300, 700), (700,), (), (0, 3), (101, 7)]
    together, alone = leaves(*shapes), leaves(*shapes)
    optimizers = [VARIANTS[variant](together), *(VARIANTS[variant]([p]) for p in alone)]
    for seed in range(3):
        set_grads(together, seed)
        set_grads(alone, seed)
        for optimizer in optimizers:
            optimizer.step()
    for p, q in zip(values(together), values(alone), strict=True):
        assert np.array_equal(p, q)


@pytest.mark.parametrize("variant", VARIANTS)
def test_no_temporaries_the_size_of_the_model(variant):
    params = leaves((1000, 500), (500,), (500, 10))
    optimizer = VARIANTS[variant](params)
    set_grads(params)
    optimizer.step()  # allocates state and scratch
    tracemalloc.start()
    try:
        optimizer.step()
        assert tracemalloc.get_traced_memory()[1] < 20_000
    finally:
        tracemalloc.stop()


def test_the_usual_model_is_one_run():
    params = leaves((30, 20), (20,), (20, 10), (10,))
    optimizer = optim.Adam(params)
    seen = []
    update = optimizer.update
    optimizer.update = lambda run: (seen.append(run.values.size), update(run))
    set_grads(params)
    optimizer.step()
    optimizer.step()
    arena = params[0]._node.slot[0]
    assert len(seen) == 2
    assert seen[0] >= sum(p.size for p in params)
    assert arena.values.size - seen[0] < 16


def test_a_parameter_without_a_gradient_keeps_its_value_and_its_count():
    x, y, z = leaves((2,), (3,), (4,))
    optimizer = optim.AdamW([x, y, z], weight_decay=0.5)
    before = values([y])[0]
    for _ in range(3):
        set_grads([x, z])
        optimizer.step()
    assert np.array_equal(values([y])[0], before)
    set_grads([y])
    optimizer.step()
    assert [optimizer.state[p]["step"] for p in (x, y, z)] == [4, 1, 4]
    assert not np.array_equal(values([y])[0], before)


def test_gradients_come_from_backward():
    x, y = leaf([1.0, 2.0]), leaf([[3.0], [4.0]])
    optimizer = optim.SGD([x, y], lr=0.5)
    for _ in range(2):
        optimizer.zero_grad()
        (x @ y).sum().backward()
        assert x._node.grad._data is x._node.buffer
        optimizer.step()
    # x1 = x0 - y0/2, y1 = y0 - x0/2; then once more
    assert x.tolist() == [-1.75, -1.5]
    assert y.tolist() == [[2.75], [3.0]]


def test_a_step_after_create_graph_leaves_the_recorded_gradient_alone():
    x = leaf([1.0, 2.0])
    optimizer = optim.SGD([x], lr=0.25)
    for _ in range(2):
        optimizer.zero_grad()
        (x**3).sum().backward(create_graph=True)
        recorded = x.grad
        before = recorded.detach().numpy().copy()
        optimizer.step()
        assert x.grad is recorded
        assert np.array_equal(recorded.detach().numpy(), before)
    assert x.tolist() == [0.25 - 0.75 * 0.0625, -1.0 - 0.75]


def test_detached_values_and_saved_arrays_are_safe_from_a_step():
    x = leaf([1.0, 2.0])
    optimizer = optim.SGD([x], lr=1.0)
    snapshot = x.detach()
    y = (x * x).sum()
    set_grads([x])
    optimizer.step()
    assert snapshot.tolist() == [1.0, 2.0]
    with pytest.raises(errors.GradientError, match="changed in place"):
        y.backward()


def test_a_closure_runs_before_the_update_with_gradients_enabled():
    x = leaf([4.0])
    optimizer = optim.SGD([x], lr=0.25)

    def closure():
        optimizer.zero_grad()
        loss = (x * x).sum()
        loss.backward()
        return loss

    with tgl.no_grad():
        assert optimizer.step(closure).item() == 16.0
    assert x.tolist() == [2.0]
    assert optimizer.step() is None
    assert x.tolist() == [0.0]


def test_zero_grad_forgets_and_a_kept_gradient_keeps_its_values():
    x, y = leaf([1.0]), leaf([2.0])
    optimizer = optim.SGD([x, y])
    (x * y).sum().backward()
    kept = x.grad
    optimizer.zero_grad()
    assert x.grad is None
    assert y.grad is None
    (x * y * 10).sum().backward()
    assert kept.tolist() == [2.0]
    assert x.grad.tolist() == [20.0]


@pytest.mark.parametrize("create_graph", [False, True])
def test_zero_grad_may_write_zeros(create_graph):
    x, y = leaf([1.0]), leaf([2.0])
    optimizer = optim.AdamW([x, y], lr=0.5, weight_decay=0.5)
    (x * x).sum().backward(create_graph=create_graph)
    optimizer.zero_grad(set_to_none=False)
    assert x.grad.tolist() == [0.0]
    assert not x.grad.requires_grad
    assert y.grad is None
    optimizer.step()
    assert x.tolist() == [0.75]  # a zero is a gradient: the weight decays
    assert y.tolist() == [2.0]


def test_views_of_a_gradient_keep_their_values_when_zeros_are_written():
    x = leaf([1.0, 2.0])
    optimizer = optim.SGD([x])
    (x * x).sum().backward()
    view = x.grad.reshape(2, 1)
    optimizer.zero_grad(set_to_none=False)
    assert view.tolist() == [[2.0], [4.0]]
    assert x.grad.tolist() == [0.0, 0.0]


def test_maximize_goes_up():
    x = leaf([1.0])
    optimizer = optim.SGD([x], lr=0.5, maximize=True)
    (x * x).sum().backward()
    optimizer.step()
    assert x.tolist() == [2.0]


def test_a_frozen_parameter_stays_and_comes_back():
    x, y = leaf([1.0]), leaf([1.0])
    optimizer = optim.SGD([x, y], lr=0.5)
    set_grads([x, y])
    x.requires_grad = False
    optimizer.step()
    assert x.tolist() == [1.0]
    x.requires_grad = True
    x.grad = None
    (x * x).sum().backward()
    optimizer.step()
    assert x.tolist() == [0.0]


def test_dtypes_have_arenas_of_their_own():
    params = leaves((3,), dtype=np.float32) + leaves((4,), dtype=np.float64) + leaves((5,), dtype=np.float16)
    optimizer = optim.SGD(params, lr=1.0)
    set_grads(params)
    expected = [v - p.grad.numpy() for p, v in zip(params, values(params), strict=True)]
    optimizer.step()
    assert len({p._node.slot[0] for p in params}) == 3
    for p, v in zip(params, expected, strict=True):
        assert np.array_equal(p.detach().numpy(), v)


def test_an_optimiser_may_be_written_as_in_pytorch():
    class Halving(optim.Optimizer):
        def __init__(self, params, rate=0.5, note=None):
            super().__init__(params, {"rate": rate, "note": note})

        def step(self):
            with tgl.no_grad():
                for group in self.param_groups:
                    for p in group["params"]:
                        p -= p.grad * group["rate"]

    x = leaf([3.0])
    optimizer = Halving([{"params": [x], "rate": 0.25}])
    (x * x).sum().backward()
    optimizer.step()
    assert x.tolist() == [1.5]
    optimizer.load_state_dict(optimizer.state_dict())
    assert optimizer.param_groups[0]["rate"] == 0.25


# Groups and moves ---------------------------------------------------------------------------------------


def test_groups_have_settings_of_their_own_and_may_be_added():
    x, y, z = leaf([1.0]), leaf([1.0]), leaf([1.0])
    optimizer = optim.SGD([{"params": [x]}, {"params": y, "lr": 0.5, "name": "head"}], lr=0.25)
    set_grads([x])
    optimizer.step()
    optimizer.add_param_group({"params": [z], "lr": 0.125})
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.5, 0.125]
    for p in (x, y, z):
        with tgl.no_grad():
            p[0] = 1.0
        p.grad = tgl.Tensor(np.array([1.0]))
    optimizer.step()
    assert [p.item() for p in (x, y, z)] == [0.75, 0.5, 0.875]


def test_adagrad_starts_an_added_group_at_its_initial_value():
    x, y = leaf([1.0]), leaf([1.0])
    optimizer = optim.Adagrad([x], lr=1.0, initial_accumulator_value=3.0, eps=0)
    optimizer.add_param_group({"params": [y]})
    y.grad = tgl.Tensor(np.array([1.0]))
    optimizer.step()
    assert y.item() == 0.5
    assert optimizer.state_dict()["state"][0]["sum"].tolist() == [3.0]


def test_a_parameter_whose_array_was_replaced_takes_its_state_along():
    reference, moved = leaves((4,), (3, 2)), leaves((4,), (3, 2))
    optimizers = [optim.Adam(reference, lr=0.1), optim.Adam(moved, lr=0.1)]
    for seed in range(6):
        if seed == 3:
            old = moved[1]._node.slot
            moved[1]._data = moved[1]._data.copy()
        set_grads(reference, seed)
        set_grads(moved, seed)
        for optimizer in optimizers:
            optimizer.step()
    assert moved[1]._node.slot[0] is not old[0]
    for p, q in zip(values(reference), values(moved), strict=True):
        assert np.array_equal(p, q)


def test_a_parameter_moved_to_another_dtype_goes_on():
    (x,) = leaves((4,))
    optimizer = optim.Adam([x], lr=0.1)
    set_grads([x])
    optimizer.step()
    x.grad = None
    x._data = x._data.astype(np.float64)
    set_grads([x])
    optimizer.step()
    state = optimizer.state_dict()["state"][0]
    assert state["step"] == 2
    assert state["exp_avg"].dtype == x.dtype == np.float64


def test_a_deep_copy_goes_its_own_way():
    params = leaves((4,), (2, 3))
    optimizer = optim.Adam(params, lr=0.1)
    set_grads(params)
    optimizer.step()
    copies, twin = copy.deepcopy((params, optimizer))
    set_grads(params, 1)
    optimizer.step()
    after = values(params)
    set_grads(copies, 1)
    twin.step()
    for p, q in zip(values(copies), after, strict=True):
        assert np.array_equal(p, q)
    twin.step()
    assert all(np.array_equal(p, q) for p, q in zip(values(params), after, strict=True))


# State --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_restored_optimiser_continues_bit_for_bit(variant):
    params = leaves((3, 4), (5,))
    optimizer = VARIANTS[variant](params)
    for seed in range(4):
        set_grads(params if seed % 2 else params[:1], seed)
        optimizer.step()
    saved, weights = optimizer.state_dict(), values(params)
    twins = [tgl.Tensor(w, requires_grad=True) for w in weights]
    twin = VARIANTS[variant](twins)
    set_grads(twins, 99)
    twin.step()  # state that must not remain
    for p, w in zip(twins, weights, strict=True):
        with tgl.no_grad():
            p[...] = w
    twin.load_state_dict(saved)
    for seed in range(4, 8):
        set_grads(params, seed)
        set_grads(twins, seed)
        optimizer.step()
        twin.step()
    for p, q in zip(values(params), values(twins), strict=True):
        assert np.array_equal(p, q)


def test_a_state_dictionary_is_a_copy():
    (x,) = leaves((3,))
    optimizer = optim.Adam([x], lr=0.1)
    set_grads([x])
    optimizer.step()
    state = optimizer.state_dict()
    before = state["state"][0]["exp_avg"].tolist()
    state["param_groups"][0]["lr"] = 7.0
    optimizer.step()
    assert state["state"][0]["exp_avg"].tolist() == before
    assert optimizer.param_groups[0]["lr"] == 0.1


def test_the_layout_of_the_state_is_pytorchs():
    x, y = leaf([1.0]), leaf([2.0])
    optimizer = optim.Adam([{"params": [x]}, {"params": [y], "lr": 0.5}], lr=0.1)
    settings = {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0, "maximize": False}
    groups = [{"lr": 0.1, **settings, "params": [0]}, {"lr": 0.5, **settings, "params": [1]}]
    assert optimizer.state_dict() == {"state": {}, "param_groups": groups}
    set_grads([y])
    optimizer.step()
    state = optimizer.state_dict()
    assert state["param_groups"] == groups
    assert list(state["state"]) == [1]
    assert list(state["state"][1]) == ["step", "exp_avg", "exp_avg_sq"]


def test_loading_restores_settings_and_labels():
    x = leaf([1.0])
    source = optim.SGD([{"params": [x], "name": "body"}], lr=0.1, momentum=0.9)
    target = optim.SGD([leaf([1.0])], lr=0.7)
    target.load_state_dict(source.state_dict())
    assert target.param_groups[0]["lr"] == 0.1
    assert target.param_groups[0]["name"] == "body"
    assert repr(target) == repr(source)


def test_loading_forgets_state_that_the_dictionary_does_not_have():
    x = leaf([0.0])
    optimizer = optim.SGD([x], lr=1.0, momentum=0.5)
    empty = optimizer.state_dict()
    x.grad = tgl.Tensor(np.array([1.0]))
    optimizer.step()
    optimizer.load_state_dict(empty)
    optimizer.step()
    assert x.item() == -2.0  # with the old buffer it would be -2.5


SWITCHED = {
    "momentum of RMSprop": (optim.RMSprop, {"momentum": 0.9}),
    "centered": (optim.RMSprop, {"centered": True}),
    "momentum of SGD": (optim.SGD, {"momentum": 0.9}),
}


@pytest.mark.parametrize("kind, settings", SWITCHED.values(), ids=SWITCHED)
@pytest.mark.parametrize("steps_after", [0, 1])
def test_state_that_is_switched_on_later_is_saved_and_restored(kind, settings, steps_after):
    tensors = leaves((3,), (2, 2))
    optimizer = kind(tensors, lr=0.1)
    set_grads(tensors)
    optimizer.step()
    optimizer.param_groups[0].update(settings)
    if steps_after:
        tensors[1].grad = None  # so that it has no such state yet
        optimizer.step()
    copies = [leaf(value, np.float32) for value in values(tensors)]
    restored = kind(copies, lr=0.5)
    restored.load_state_dict(optimizer.state_dict())
    for seed in (5, 6):
        for parameters, one in ((tensors, optimizer), (copies, restored)):
            set_grads(parameters, seed)
            one.step()
    for a, b in zip(values(tensors), values(copies), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_step_that_fails_is_not_counted_and_leaves_no_state():
    class Fragile(optim.RMSprop):
        fragile = True

        def update(self, run):
            if self.fragile:
                run.state("momentum_buffer").fill(7)
                raise MemoryError
            super().update(run)

    x, y = leaf([1.0, 2.0]), leaf([1.0, 2.0])
    optimizer, sound = Fragile([x], momentum=0.5), optim.RMSprop([y], momentum=0.5)
    set_grads([x])
    set_grads([y])
    with pytest.raises(MemoryError):
        optimizer.step()
    assert optimizer.state_dict()["state"] == {}
    assert x.tolist() == [1.0, 2.0]
    optimizer.fragile = False
    optimizer.step()
    sound.step()
    assert optimizer.state[x]["step"] == 1
    assert x.tolist() == y.tolist()


def test_the_same_parameters_in_another_list_are_the_same():
    x, y = leaves((2,), (3,))
    optimizer = optim.SGD([x, y], lr=0.5)
    optimizer.param_groups[0]["params"] = [x, y]
    before = values([x, y])
    set_grads([x, y])
    optimizer.step()
    assert all((a != b).all() for a, b in zip(before, values([x, y]), strict=True))


def test_numbers_of_numpy_become_python_numbers():
    optimizer = optim.SGD([leaf([1.0])], lr=np.float32(0.5))
    assert type(optimizer.param_groups[0]["lr"]) is float
