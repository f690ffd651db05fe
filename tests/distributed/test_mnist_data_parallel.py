"""examples/mnist_data_parallel.py under mpirun and without it, against examples/mnist_mlp.py."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from examples.running import run_example

from distributed.running import assert_learnt_alike, output
from tinygrad_lite import nn

pytestmark = pytest.mark.needs("mpi")

NAME = "mnist_data_parallel.py"
# 1437 images in batches of 100: the last one has 37.
OPTIONS = ("--data", "digits", "--epochs", "3", "--hidden", "32", "--batch-size", "100", "--seed", "2")
PENALTY = (*OPTIONS, "--l2", "0.01", "--validation", "200", "--optimizer", "momentum")


def learnt(text: str) -> list[str]:
    """Loss and accuracies at the end of every epoch, and of the test."""
    found = re.findall(
        r"epoch (\d)/3: (training loss [\d.]+, accuracy [\d.]+ %(?:; validation loss [\d.]+, accuracy [\d.]+ %)?)", text
    )
    return [*dict(found).values(), *re.findall(r"test accuracy [\d.]+ %", text)]


@pytest.mark.parametrize(
    ("ranks", "options"),
    # A single rank under mpirun draws bars, which leave out the end of a long line.
    [(n, (*OPTIONS, "--dropout", "0")) for n in (0, 1, 2, 3)] + [(n, PENALTY) for n in (0, 2, 3)],
)
def test_it_learns_what_one_process_does(ranks, options):
    alone = learnt(run_example("mnist_mlp.py", *options)[0])
    assert len(alone) == 4
    assert_learnt_alike(learnt(output(ranks, NAME, *options)), alone)


def test_rank_0_alone_prints():
    text = output(3, NAME, *OPTIONS, "--dropout", "0")
    assert text.count("\n3 ranks, 3 epochs of adam") == 1
    assert text.count("test accuracy") == text.count("epoch 2/3:") == 1


def test_dropout_differs_between_ranks_and_still_learns():
    text = output(2, NAME, *OPTIONS)
    assert learnt(text) != learnt(output(2, NAME, *OPTIONS, "--dropout", "0"))
    assert float(text.split()[-2]) > 50


def test_the_saved_weights_are_those_of_one_process(tmp_path: Path):
    files = [tmp_path / f"{name}.safetensors" for name in ("one", "many")]
    run_example("mnist_mlp.py", *PENALTY, "--save", files[0])
    text = output(2, NAME, *PENALTY, "--save", str(files[1]))
    assert text.count(f"weights: {files[1]}") == 1
    one, many = (nn.load(file) for file in files)
    for name, value in one.items():
        np.testing.assert_allclose(many[name], value, rtol=1e-3, atol=1e-5)


def test_a_value_that_cannot_be_right_is_refused():
    said, complaints = run_example(NAME, "--batch-size", "0", status=2)
    assert said == ""
    assert complaints.startswith("usage: mpirun -n 4 python examples/mnist_data_parallel.py [options]\n")
    assert complaints.endswith(f"{NAME}: error: argument --batch-size: needs an integer of at least 1, but got '0'\n")
