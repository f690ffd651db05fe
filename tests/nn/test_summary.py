"""summary: the table, and a model that is left as it was."""

import pytest

import tinygrad_lite as tgl
from tinygrad_lite import errors, nn


def test_the_table():
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Dropout(0.1), nn.Linear(128, 10))
    assert nn.summary(model, (64, 28, 28)) == (
        "layer                  output     parameters\n"
        "0  Flatten()           (64, 784)           0\n"
        "1  Linear(784 -> 128)  (64, 128)     100,480\n"
        "2  ReLU()              (64, 128)           0\n"
        "3  Dropout(p=0.1)      (64, 128)           0\n"
        "4  Linear(128 -> 10)   (64, 10)        1,290\n"
        "101,770 parameters, all trainable, 397.5 KiB"
    )


def test_nested_shared_frozen_and_unused_layers():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter([1.0])
            self.inner = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
            self.again = self.inner[0]
            self.unused = nn.Linear(2, 1).requires_grad_(False)

        def forward(self, x):
            return self.again(self.inner(x)) * self.scale

    assert nn.summary(Model(), (1, 2), "float32") == (
        "layer                    output      parameters\n"
        "         Model()         (1, 2)               1\n"
        "inner.0  Linear(2 -> 2)  (1, 2)               6\n"
        "inner.1  ReLU()          (1, 2)               0\n"
        "unused   Linear(2 -> 1)  not called           3\n"
        "10 parameters, 7 trainable, 40 bytes"
    )


def test_a_single_layer_and_no_parameters():
    assert nn.summary(nn.ReLU(), (2, 3)) == (
        "layer   output  parameters\nReLU()  (2, 3)           0\n0 parameters, all trainable, 0 bytes"
    )


def test_everything_is_as_before():
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Dropout())
    model[1].eval()
    tgl.manual_seed(4)
    before = {name: value.tolist() for name, value in model.state_dict().items()}
    nn.summary(model, (4, 3))
    assert [module.training for module in model.modules()] == [True, True, False, True]
    assert not any(module._hooks for module in model.modules())
    assert {name: value.tolist() for name, value in model.state_dict().items()} == before
    assert tgl.get_rng_state() == {"seed": 4, "counter": 0}
    assert all(p.grad is None for p in model.parameters())
    with pytest.raises(errors.ShapeError):
        nn.summary(model, (4, 5))
    assert [module.training for module in model.modules()] == [True, True, False, True]
    assert not any(module._hooks for module in model.modules())
