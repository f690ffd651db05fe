"""Whole training runs in one file: what comes back, that training goes on as if never interrupted, what is refused."""

import json
import math
import os
import struct

import numpy as np
import pytest
from refusals import refuses

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, errors, nn, optim
from tinygrad_lite.nn import saving, serialization

STRUCTURE = "tinygrad_lite.structure"


def same(found, given):
    """Equal in values, kinds and order, down to the bits of floats and arrays."""
    if isinstance(given, (Tensor, np.ndarray)):
        a, b = np.asarray(found), np.asarray(given)
        assert isinstance(found, Tensor)
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
        return
    assert type(found) is type(given)
    if isinstance(given, dict):
        assert list(found) == list(given)
        assert list(map(type, found)) == list(map(type, given))
        for key in given:
            same(found[key], given[key])
    elif isinstance(given, (list, tuple)):
        assert len(found) == len(given)
        for a, b in zip(found, given, strict=True):
            same(a, b)
    elif isinstance(given, float):
        assert struct.pack("<d", found) == struct.pack("<d", given)
    else:
        assert found == given


VALUES = {
    "plain": {"epoch": 3, "done": False, "best": None, "name": "Grüße", "loss": 0.1},
    "nested": {"a": {"b": {"c": Tensor([1.0, 2.0])}}, "d": [Tensor(1.0), [2, {"e": np.arange(3)}], []], "f": {}},
    "tuples": {"betas": (0.9, 0.999), "none": (), "mixed": [(1, [2]), (Tensor([True]),)]},
    "keys": {0: {"exp_avg": Tensor([1.0])}, "1": 2, -7: 3, "": 4},
    "only integers as keys": {0: Tensor([1.0]), 1: Tensor([2.0])},
    "keys like ours": {"$tensor": "x", "a": {"$b": Tensor([1.0])}, "c": {"$tuple": [1]}},
    "floats": {"values": [math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308, 0.1 + 0.2]},
    "integers": {"values": [2**63 - 1, 2**63, -(2**63), 2**64 - 1, -(10**30), 10**5000]},
    "texts": {"values": ["", '"\\', "\ud800", "\0", "日本"]},
    "dots in keys": {"model": {"0.weight": Tensor([1.0])}, "a.b": {"c": Tensor([2.0])}},
    "of size 0": {"x": {"y": np.zeros((0, 3), "float16")}},
}


@pytest.mark.parametrize("case", VALUES)
def test_the_same_structure_comes_back(case, tmp_path):
    path = tmp_path / "run.safetensors"
    tgl.save(VALUES[case], path)
    same(tgl.load(path), VALUES[case])
    assert os.listdir(tmp_path) == ["run.safetensors"]


def test_scalars_of_numpy_become_numbers_and_mappings_dictionaries(tmp_path):
    from collections import OrderedDict, namedtuple

    given = {"a": [np.float32(0.1), np.float64(0.1), np.int64(3), np.bool_(True), np.str_("x")]}
    given |= {"b": OrderedDict(c=1), "d": namedtuple("Pair", "x y")(1, 2)}
    tgl.save(given, tmp_path / "x")
    same(tgl.load(tmp_path / "x"), {"a": [float(np.float32(0.1)), 0.1, 3, True, "x"], "b": {"c": 1}, "d": (1, 2)})


def test_a_tensor_in_two_places_comes_back_as_two(tmp_path):
    x = Tensor([1.0])
    tgl.save({"a": [x, x]}, tmp_path / "x")
    first, second = tgl.load(tmp_path / "x")["a"]
    with tgl.no_grad():
        first[0] = 5.0
    assert second.tolist() == [1.0]


def test_a_flat_dictionary_of_tensors_is_a_plain_file(tmp_path):
    flat = {"b": np.array([True]), "a": Tensor([[1.0, 2.0]])}
    tgl.save(flat, tmp_path / "one", {"k": "v"})
    nn.save_file(flat, tmp_path / "two", {"k": "v"})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert nn.load_metadata(tmp_path / "one") == {"k": "v"}


def test_every_reader_finds_the_tensors_by_their_names(tmp_path):
    peer = pytest.importorskip("safetensors.numpy")
    model = nn.Linear(3, 2)
    optimizer = optim.Adam(model.parameters())
    model(tgl.ones((4, 3))).sum().backward()
    optimizer.step()
    tgl.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, tmp_path / "run", {"by": "me"})
    found = peer.load_file(tmp_path / "run")
    assert sorted(found) == [
        "model.bias",
        "model.weight",
        "optimizer.state.0.exp_avg",
        "optimizer.state.0.exp_avg_sq",
        "optimizer.state.1.exp_avg",
        "optimizer.state.1.exp_avg_sq",
    ]
    assert found["model.weight"].tobytes() == model.weight.detach().numpy().tobytes()
    assert sorted(nn.load_file(tmp_path / "run")) == sorted(found)
    metadata = nn.load_metadata(tmp_path / "run")
    assert metadata.pop("by") == "me"
    assert json.loads(metadata.pop(STRUCTURE))["model"] == {
        "weight": {"$tensor": "model.weight"},
        "bias": {"$tensor": "model.bias"},
    }
    assert metadata == {}


# Training goes on ------------------------------------------------------------------------------------------

IMAGES = np.random.default_rng(0).normal(size=(48, 6)).astype(np.float32)
LABELS = np.random.default_rng(1).integers(0, 3, 48)


class Run:
    """A small training run with everything that has a state."""

    def __init__(self, optimizer=optim.Adam):
        self.model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 3))
        self.optimizer = optimizer(self.model.parameters(), lr=0.02)
        warm_up = optim.lr_scheduler.LinearLR(self.optimizer, 0.3, total_iters=2)
        decay = optim.lr_scheduler.StepLR(self.optimizer, 1, gamma=0.7)
        self.schedule = optim.lr_scheduler.SequentialLR(self.optimizer, [warm_up, decay], [2])
        self.plateau = optim.lr_scheduler.ReduceLROnPlateau(self.optimizer, patience=0, factor=0.9)
        data = tgl.data.TensorDataset(IMAGES, LABELS)
        self.loader = tgl.data.DataLoader(data, batch_size=16, shuffle=True, seed=4)

    def epoch(self):
        for images, labels in self.loader:
            self.optimizer.zero_grad()
            loss = nn.functional.cross_entropy(self.model(images), labels)
            loss.backward()
            self.optimizer.step()
        self.schedule.step()
        self.plateau.step(loss.item())

    def parts(self):
        return {name: vars(self)[name] for name in ("model", "optimizer", "schedule", "plateau", "loader")}

    def state(self):
        return {name: part.state_dict() for name, part in self.parts().items()} | {"rng": tgl.get_rng_state()}

    def restore(self, state):
        for name, part in self.parts().items():
            part.load_state_dict(state[name])
        tgl.set_rng_state(state["rng"])


@pytest.mark.parametrize("optimizer", [optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad, optim.SGD])
def test_three_epochs_a_file_and_three_more_are_six(optimizer, tmp_path):
    tgl.manual_seed(11)
    whole = Run(optimizer)
    for _ in range(6):
        whole.epoch()
    expected = whole.state()

    tgl.manual_seed(11)
    first = Run(optimizer)
    for _ in range(3):
        first.epoch()
    tgl.save({**first.state(), "epoch": 3}, tmp_path / "run.safetensors")

    tgl.manual_seed(99)
    second = Run(optimizer)
    second.epoch()  # a state of its own, which must not shine through
    loaded = tgl.load(tmp_path / "run.safetensors")
    second.restore(loaded)
    assert loaded["epoch"] == 3
    for _ in range(3):
        second.epoch()
    same(second.state(), expected)


# Refusals --------------------------------------------------------------------------------------------------

CIRCLE: dict = {"epoch": 1}
CIRCLE["self"] = CIRCLE
KINDS = "tensors, numbers, texts, bools, None, and dictionaries, lists and tuples of them can be stored"
REFUSED = {
    "a module": (
        {"model": nn.Identity()},
        errors.DTypeError,
        (
            "save cannot store a Identity, which 'model' is\n  value  Identity()\n"
            "  hint   what it consists of can be stored: Identity.state_dict()"
        ),
    ),
    "a set": (
        {"a": [{1}]},
        errors.DTypeError,
        "save cannot store a set, which 'a.0' is\n  value  {1}\n  hint   make a list of it: sorted(value)",
    ),
    "bytes": (
        {"a": b"x"},
        errors.DTypeError,
        (
            "save cannot store a bytes, which 'a' is\n  value  b'x'\n"
            "  hint   make an array of it: numpy.frombuffer(value, 'uint8')"
        ),
    ),
    "a complex number": (
        {"a": 1j},
        errors.DTypeError,
        "save cannot store a complex, which 'a' is\n  value  1j\n  hint   make a tensor of it: Tensor(value)",
    ),
    "anything else": (
        {"a": {"b": range(3)}},
        errors.DTypeError,
        f"save cannot store a range, which 'a.b' is\n  value  range(0, 3)\n  hint   {KINDS}",
    ),
    "a float as key": (
        {"a": {0.5: 1}},
        errors.DTypeError,
        "save needs texts or integers as keys of 'a', but got 0.5\n  hint  str(key) makes a text",
    ),
    "a bool as key": (
        {True: 1},
        errors.DTypeError,
        "save needs texts or integers as keys, but got True\n  hint  str(key) makes a text",
    ),
    "one name twice": (
        {"a": {"b.c": Tensor([1.0])}, "a.b": {"c": Tensor([2.0])}},
        errors.ArgumentError,
        (
            "save needs different names, but two tensors are 'a.b.c'\n"
            "  hint  a tensor's name is all keys that lead to it, joined by dots: rename one of them"
        ),
    ),
    "a number and its text": (
        {"a": {0: Tensor([1.0]), "0": Tensor([2.0])}},
        errors.ArgumentError,
        (
            "save needs different names, but two tensors are 'a.0'\n"
            "  hint  a tensor's name is all keys that lead to it, joined by dots: rename one of them"
        ),
    ),
    "a circle": (
        CIRCLE,
        errors.ArgumentError,
        (
            "save needs at most 100 levels of dictionaries and lists, but there are more in 'self'\n"
            "  hint  does a dictionary or a list hold itself?"
        ),
    ),
    "a reserved name": (
        {"__metadata__": Tensor([1.0]), "epoch": 3},
        errors.ArgumentError,
        "save_file cannot name a tensor '__metadata__'\n  hint  pass metadata= instead",
    ),
    "complex128": (
        {"a": {"x": np.ones(1, complex)}},
        errors.DTypeError,
        "save_file cannot store complex128, which the format lacks\n  a.x  shape (1,), complex128, cpu",
    ),
    "a surrogate in a name": (
        {"a": {"\ud800": Tensor([1.0])}},
        errors.ArgumentError,
        "save_file needs Unicode text as tensor names, but got 'a.\\ud800'",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_saved_is_refused_before_anything_is_written(case, tmp_path):
    value, kind, text = REFUSED[case]
    path = tmp_path / "run.safetensors"
    path.write_bytes(b"old")
    refuses(kind, lambda: tgl.save(value, path), text)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["run.safetensors"]


def test_metadata_that_cannot_be_saved(tmp_path):
    path = tmp_path / "x"
    text = f"save keeps the name {STRUCTURE!r} in the metadata for itself\n  hint  choose another name"
    refuses(errors.ArgumentError, lambda: tgl.save({"epoch": 3}, path, {STRUCTURE: ""}), text)
    text = "save_file needs a dictionary of strings as metadata\n  metadata  [1]"
    refuses(errors.DTypeError, lambda: tgl.save({"epoch": 3}, path, [1]), text)
    refuses(errors.DTypeError, lambda: nn.save_file({}, path, [1]), text)
    text = "save_file needs strings as metadata, but got 3"
    refuses(errors.DTypeError, lambda: tgl.save({"epoch": 3}, path, {"epoch": 3}), text)
    assert os.listdir(tmp_path) == []


def test_a_path_that_cannot_be_written(tmp_path):
    text = "save_file needs a path in a folder that exists\n  path  'nowhere/x'\n"
    text += "  hint  make it first: os.makedirs(folder)"
    refuses(errors.ArgumentError, lambda: tgl.save({"epoch": 3}, "nowhere/x"), text)


def test_more_plain_values_than_a_header_can_hold(tmp_path, monkeypatch):
    monkeypatch.setattr(serialization, "_MAX_HEADER", 200)
    text = "save_file needs a header of at most 200 bytes, but names, shapes and plain values take 656\n"
    text += "  hint  make tensors of long lists of numbers"
    refuses(errors.ArgumentError, lambda: tgl.save({"x": [12345] * 100}, tmp_path / "x"), text)
    assert os.listdir(tmp_path) == []


DAMAGED = {
    "not JSON": "{",
    "a list": "[]",
    "a number": "3",
    "no such tensor": '{"a":{"$tensor":"y"}}',
    "a tensor left over": "{}",
    "a tensor twice": '{"a":{"$tensor":"x"},"b":{"$tensor":"x"}}',
    "no name": '{"a":{"$tensor":["x"]}}',
    "an unknown kind": '{"a":{"$tensor":"x"},"b":{"$set":[1]}}',
    "two kinds": '{"a":{"$tensor":"x","$int":"1"}}',
    "a float that is none": '{"a":{"$tensor":"x"},"b":{"$float":"x"}}',
    "an integer that is none": '{"a":{"$tensor":"x"},"b":{"$int":5}}',
    "pairs that are none": '{"a":{"$tensor":"x"},"b":{"$dict":[1]}}',
    "a key that is a list": '{"a":{"$tensor":"x"},"b":{"$dict":[[[1],1]]}}',
    "a tuple of nothing": '{"a":{"$tensor":"x"},"b":{"$tuple":null}}',
    "deep": '{"a":' + "[" * 100_000,
}


@pytest.mark.parametrize("case", DAMAGED)
def test_a_damaged_structure(case, tmp_path):
    path = tmp_path / "x"
    nn.save_file({"x": Tensor([1.0])}, path, {STRUCTURE: DAMAGED[case]})
    text = (
        "load needs a valid safetensors file, but its structure does not fit its tensors\n"
        f"  path  {errors.describe(os.fspath(path))}\n  hint  load_file reads the tensors alone, by their names"
    )
    refuses(errors.DataError, lambda: tgl.load(path), text)
    assert nn.load_file(path)["x"].tolist() == [1.0]


def test_files_that_are_not_there_are_refused_in_the_name_of_load(tmp_path):
    path = os.fspath(tmp_path / "x")
    text = (
        f"load needs a safetensors file\n  path  {errors.describe(path)}\n"
        "  hint  there is no such file; relative paths start in the folder that the program was started in"
    )
    refuses(errors.DataNotFoundError, lambda: tgl.load(path), text)


def named(value, place=""):
    """The keys that lead to each tensor."""
    if isinstance(value, np.ndarray):
        yield place[1:]
    elif isinstance(value, (dict, list, tuple)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from named(item, f"{place}.{key}")


def test_any_nesting_comes_back(tmp_path):
    hypothesis = pytest.importorskip("hypothesis")
    st = hypothesis.strategies
    plain = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=4)
    keys = st.text(alphabet="ab$", max_size=3) | st.integers(-3, 3)
    deeper = lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3) | st.lists(inner, max_size=3).map(tuple)
    )
    tensors = st.lists(st.floats(width=32, allow_nan=False), max_size=3).map(lambda v: np.array(v, np.float32))
    trees = st.dictionaries(keys, st.recursive(plain | tensors, deeper, max_leaves=8), max_size=3)
    path = tmp_path / "x"

    @hypothesis.settings(max_examples=100, deadline=None)
    @hypothesis.given(trees)
    def check(tree):
        names = list(named(tree))
        if len(set(names)) < len(names):
            with pytest.raises(errors.ArgumentError, match="two tensors are"):
                saving.save(tree, path)
        else:
            saving.save(tree, path)
            same(saving.load(path), tree)

    check()
