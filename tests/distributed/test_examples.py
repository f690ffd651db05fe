"""The examples of model parallelism and of the parameter server, under mpirun and without it."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from examples.running import ROOT, run_example

from distributed.launch import launch
from distributed.running import assert_learnt_alike, output
from tinygrad_lite import distributed as dist

pytestmark = pytest.mark.needs("mpi")

RANKS = [0, 1, 2, 3]  # 0: without mpirun
MODEL = ("mnist_model_parallel.py", "--data", "digits", "--epochs", "3", "--hidden", "32", "--lr", "1")
COMPARISON = ("ring_vs_parameter_server.py", "--weights", "64,256", "--jitter", "0,0.5", "--steps", "2")


def table(text: str) -> list[tuple[str, list[int]]]:
    """The rows of counters."""
    rows = re.findall(r"^  (\w+) +(\d+) +(\d+) +(\d+) +([\d,]+)$", text, re.MULTILINE)
    return [(name, [int(number.replace(",", "")) for number in numbers]) for name, *numbers in rows]


@pytest.mark.parametrize("ranks", RANKS)
def test_the_split_network_sends_nothing_in_backpropagation(ranks):
    (forward, sent), (backward, nothing) = table(output(ranks, *MODEL))
    assert (forward, backward) == ("forward", "backpropagation")
    assert sent[0] == 1, "one reduction"
    assert (sent[2] > 0) == (ranks > 1)
    assert nothing == [0, 0, 0, 0]


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_the_split_network_learns_what_the_serial_one_does(ranks):
    def learnt(text: str) -> list[str]:
        return re.findall(r"training loss [\d.]+, accuracy [\d.]+ %|test accuracy [\d.]+ %", text)

    serial = learnt(output(0, *MODEL))
    assert len(serial) == 4
    assert float(serial[-1].split()[2]) > 80
    assert_learnt_alike(learnt(output(ranks, *MODEL)), serial)


@pytest.mark.parametrize("ranks", RANKS)
def test_rank_0_alone_prints(ranks):
    text = output(ranks, *MODEL)
    assert text.count("test accuracy") == 1
    units = {0: "32", 1: "32", 2: "16, 16", 3: "11, 11, 10"}[ranks]
    assert f"64 pixels -> 32 hidden units -> 10 digits; units per rank: {units}\n" in text


def test_one_hidden_unit_is_not_several():
    text = output(0, *MODEL, "--hidden", "1", "--epochs", "1")
    assert "\n64 pixels -> 1 hidden unit -> 10 digits; units per rank: 1\n" in text


@pytest.mark.parametrize("ranks", RANKS)
def test_ring_and_server_are_measured_at_every_point(ranks):
    text = output(ranks, *COMPARISON)
    rows = [line.split() for line in text.splitlines() if re.match(r"(ranks|weights|jitter) +\d", line)]
    size = max(ranks, 1)
    points = [("ranks", n, "256", "0") for n in range(1, size + 1)]
    points += [("weights", size, "64", "0"), ("weights", size, "256", "0")]
    points += [("jitter", size, "256", "0"), ("jitter", size, "256", "0.5")]
    assert [tuple(row[:4]) for row in rows] == [(varied, str(n), d, j) for varied, n, d, j in points]
    for row in rows:
        ring, server, default, ratio, delay, expected = map(float, row[4:])
        assert (delay > 0) == (float(row[3]) > 0)
        assert min(ring, server, default) > delay
        assert default > 0
        assert ring > 0
        assert server > 0
        assert ratio == pytest.approx(server / ring, rel=0.1, abs=0.01)
        harmonic = sum(1 / k for k in range(1, int(row[1]) + 1))
        assert expected == pytest.approx(float(row[3]) * harmonic, abs=1e-3)
    assert ("one rank sends nothing" in text) == (size == 1)
    assert "default: DataParallel's choice, shared memory on one host\n" in text


def test_a_slower_network_is_told_of():
    text = output(2, *COMPARISON, "--jitter", "0", "--weights", "64", "--steps", "1", "--network", "2000,1000")
    assert "network: each rank sends one message after the other, 2000 us and 1000 MB/s\n" in text
    assert "default: DataParallel's choice, which over this network is the ring\n" in text


def test_a_slower_network_lies_between_the_ranks_of_every_step(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    example = importlib.import_module("ring_vs_parameter_server")
    slower = []
    among = SimpleNamespace(delayed=lambda latency, per_byte: slower.append((latency, per_byte)) or "slower")
    done = SimpleNamespace(test=lambda: True)
    comm = SimpleNamespace(rank=0, split=lambda color, key: among, iallreduce=lambda x: done)
    used = []
    monkeypatch.setattr(example, "step_of", lambda kind, point, ranks, options: used.append((kind, ranks)))
    example.measured(example.Point(2, 64, 0.0), comm, SimpleNamespace(network=[20_000, 1000]))
    assert slower == [(pytest.approx(0.02), pytest.approx(1e-9))]
    assert used == [(kind, "slower") for kind in ("ring", "server", "default")]


def test_the_expected_delay_is_told_of_for_the_exponential_law_alone():
    rows = re.findall(r"^jitter +\d.* (\S+)$", output(0, *COMPARISON, "--law", "constant"), re.MULTILINE)
    assert rows == ["-", "-"]


@pytest.mark.parametrize("law, lines", [("exponential", 4), ("constant", 3)])
def test_the_expected_delay_is_drawn_for_the_exponential_law_alone(monkeypatch, tmp_path: Path, law, lines):
    figure = pytest.importorskip("matplotlib.figure")
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    example = importlib.import_module("ring_vs_parameter_server")
    saved = []
    monkeypatch.setattr(figure.Figure, "savefig", lambda self, file, dpi: saved.append(self))
    found = dict.fromkeys(example.KINDS, example.Step(2.0, 1.0))
    points = [example.Point(1, 64, 1.0), example.Point(2, 128, 2.0)]
    sweeps = {varied: [(point, found) for point in points] for varied in ("ranks", "weights", "jitter")}
    example.draw(sweeps, law, tmp_path / "a.png")
    assert [len(axes.lines) for axes in saved[0].axes] == [3, 3, lines]
    assert [len(legend.get_texts()) for legend in saved[0].legends] == [lines]


def host(*cores: set[int], ranks: int = 0) -> SimpleNamespace:
    """A communicator of ``ranks`` ranks, of which those on this host may use these cores."""
    numbers = [number for own in cores for number in own]
    return SimpleNamespace(local_size=len(cores), size=ranks or len(cores), all_gather=lambda own: numbers)


def test_the_cores_of_a_host_are_those_of_all_its_ranks(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    cores = importlib.import_module("cores")
    monkeypatch.setattr(cores.os, "cpu_count", lambda: 7)
    monkeypatch.setattr(cores.os, "sched_getaffinity", lambda process: {0})
    assert cores.cores_of_host(host({0}, {3})) == 2, "bound to a core each"
    assert cores.cores_of_host(host({0, 3}, {0, 3}, {0, 3})) == 2
    assert cores.cores_of_host(host({0}, {3}, ranks=4)) == 7, "other hosts' cores have the same numbers"


@pytest.mark.parametrize(
    "ranks, environment, said",
    [
        (3, {"OMPI_COMM_WORLD_SIZE": "3"}, True),
        (3, {"OMPI_COMM_WORLD_SIZE": "3", "OMPI_MCA_mpi_yield_when_idle": "false"}, True),
        (3, {"OMPI_COMM_WORLD_SIZE": "3", "OMPI_MCA_mpi_yield_when_idle": "True"}, False),
        (3, {"OMPI_COMM_WORLD_SIZE": "3", "OMPI_MCA_mpi_yield_when_idle": "1"}, False),
        (3, {"PMI_SIZE": "3"}, False),
        (2, {"OMPI_COMM_WORLD_SIZE": "2"}, False),
    ],
)
def test_more_ranks_than_cores_should_yield(monkeypatch, capsys, ranks, environment, said):
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    cores = importlib.import_module("cores")
    monkeypatch.setattr(cores.os, "environ", environment)
    cores.advise(host(*[{0, 1}] * ranks))
    assert capsys.readouterr().out == said * (
        "3 ranks share 2 cores: set OMPI_MCA_mpi_yield_when_idle=true, "
        "or waiting for each other will slow them down up to a hundred times\n"
    )


@pytest.mark.parametrize(
    "name, options",
    [(MODEL[0], MODEL[1:]), (COMPARISON[0], COMPARISON[1:]), ("mnist_data_parallel.py", MODEL[1:])],
)
def test_the_examples_say_how_to_yield(monkeypatch, capsys, name, options):
    monkeypatch.syspath_prepend(str(ROOT / "examples"))
    monkeypatch.setattr(sys, "argv", [name, *options])
    example = importlib.import_module(name.removesuffix(".py"))
    monkeypatch.setattr(importlib.import_module("cores"), "cores_of_host", lambda comm: 0)
    monkeypatch.setattr(example.dist, "init", dist.Communicator)
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "1")
    monkeypatch.delenv("OMPI_MCA_mpi_yield_when_idle", raising=False)
    example.main()
    assert capsys.readouterr().out.count(": set OMPI_MCA_mpi_yield_when_idle=true") == 1


def test_the_comparison_is_drawn(tmp_path: Path):
    pytest.importorskip("matplotlib")
    text = output(1, *COMPARISON, "--plot", str(tmp_path / "a.png"))
    assert text.endswith(f"\npicture: {tmp_path}/a.png\n")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "name, arguments, message",
    [
        (
            "mnist_model_parallel.py",
            ["--hidden", "0"],
            "argument --hidden: needs an integer of at least 1, but got '0'",
        ),
        ("mnist_model_parallel.py", ["--data", "x"], "argument --data: knows auto, mnist, digits, but got 'x'"),
        (
            "ring_vs_parameter_server.py",
            ["--weights", "1,x"],
            "argument --weights: needs numbers from 1 to 1e9 such as 1e4,1e6, but got '1,x'",
        ),
        (
            "ring_vs_parameter_server.py",
            ["--jitter=-1"],
            "argument --jitter: needs numbers of at least 0 such as 0,1,2, but got '-1'",
        ),
        (
            "ring_vs_parameter_server.py",
            ["--network", "100"],
            "argument --network: needs a latency and a speed such as 100,100, but got '100'",
        ),
    ],
)
def test_a_value_that_cannot_be_right_is_refused(name, arguments, message):
    said, complaints = run_example(name, *arguments, status=2)
    assert said == ""
    assert complaints.endswith(f"{name}: error: {message}\n")


@pytest.mark.parametrize(
    "name, arguments, status, message",
    [
        (
            "ring_vs_parameter_server.py",
            ["--jitter=-1"],
            2,
            (
                "usage: mpirun -n 4 python examples/ring_vs_parameter_server.py [options]\n"
                "ring_vs_parameter_server.py: error: argument --jitter: needs numbers of at least 0 such as 0,1,2, "
                "but got '-1'\n"
            ),
        ),
        (
            "mnist_model_parallel.py",
            ["--data", "mnist", "--data-dir", "nowhere"],
            1,
            (
                "DataNotFoundError: load_mnist needs the four MNIST files in the folder given by data_dir, "
                "but they are not in nowhere, nowhere/mnist, nowhere/MNIST, nowhere/MNIST/raw\n"
            ),
        ),
        (
            "mnist_data_parallel.py",
            ["--data", "digits", "--batch-size", "1"],
            2,
            (
                "usage: mpirun -n 4 python examples/mnist_data_parallel.py [options]\n"
                "mnist_data_parallel.py: error: argument --batch-size: 2 ranks need 2 images or more, but got 1\n"
            ),
        ),
        (
            "mnist_model_parallel.py",
            ["--data", "digits", "--lr", "1e38", "--epochs", "2"],
            1,
            "the loss is nan: the steps were too long; try an --lr below 1e+38\n",
        ),
    ],
    ids=["option", "no data", "more ranks than images", "learning rate"],
)
def test_what_ends_all_ranks_is_said_once(name, arguments, status, message):
    done = launch(2, ROOT / "examples" / name, *arguments, timeout=60.0)
    assert done.status == status
    assert done.stderr.startswith(message)
    assert done.stderr.count(message) == 1
    assert "tinygrad_lite.distributed" not in done.stderr


def test_help_says_what_the_program_does_without_its_command_lines():
    said, _ = run_example("mnist_data_parallel.py", "--help")
    assert said.count("mpirun -n") == 1, "the usage"
    assert "\nThe network of mnist_mlp.py, trained by many ranks: " in said


def test_a_script_that_is_not_there_is_refused_at_once():
    command = [sys.executable, str(ROOT / "tests/distributed/launch.py"), "-n", "3", "nofile.py"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("launch.py: error: needs a script, but there is no 'nofile.py'\n")


def test_help_is_shown_once():
    done = launch(2, ROOT / "examples/mnist_model_parallel.py", "--help", timeout=60.0)
    assert (done.status, done.stderr) == (0, "")
    assert done.stdout.count("usage: mpirun -n 4 python examples/mnist_model_parallel.py [options]\n") == 1
