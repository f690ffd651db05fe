"""examples/mnist_mlp.py as its user sees it: every test but the last is a run on the digits of the package."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import tinygrad_lite as tgl
from tinygrad_lite import data, nn

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "examples" / "mnist_mlp.py"
DIGITS = "UCI optical digits: 1437 training and 360 test images of 8 x 8 pixels, bundled with tinygrad_lite"
SHORT = ["--data", "digits", "--epochs", "2", "--hidden", "32"]
EPOCH = re.compile(r"epoch +(\d+)/(\d+): training loss ([\d.]+), accuracy ([\d.]+) %, [\d,]+ images/s, [\d.]+ s")
LAST = re.compile(r"test accuracy (\d+\.\d\d) %")

#: runs the example after a change to the world that it finds
WITH_PRELUDE = f"""
import runpy, sys
sys.argv[0] = {str(SCRIPT)!r}
sys.path.insert(0, {str(SCRIPT.parent)!r})
{{prelude}}
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def command(*arguments, prelude="", warnings="error"):
    program = ["-c", WITH_PRELUDE.format(prelude=prelude)] if prelude else [str(SCRIPT)]
    return [sys.executable, "-W", warnings, *program, *map(str, arguments)]


def environment(**changes):
    """This process's, but without a MNIST to be found, and with one thread: tests run beside other work."""
    kept = {name: text for name, text in os.environ.items() if name != "TINYGRAD_LITE_DATA"}
    return {**kept, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1", "TINYGRAD_LITE_NUM_THREADS": "1", **changes}


def run(*arguments, prelude="", warnings="error", status=0, cwd=None, **changes):
    """Output and error output of a run that has to end with ``status``."""
    words = command(*arguments, prelude=prelude, warnings=warnings)
    done = subprocess.run(words, env=environment(**changes), cwd=cwd, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    return done.stdout, done.stderr


def accuracy_of(output):
    return float(LAST.fullmatch(output.splitlines()[-1])[1])


# --- What is printed ----------------------------------------------------------------------------------------


def test_a_piped_run_says_what_it_does_and_prints_one_line_per_epoch():
    output, complaints = run(*SHORT, "--dropout", "0", "--optimizer", "sgd", "--lr", "0.1", "--seed", "3")
    lines = output.splitlines()
    assert complaints == ""
    assert lines[:9] == [
        DIGITS,
        "",
        "layer                output    parameters",
        "0  Linear(64 -> 32)  (64, 32)       2,080",
        "1  ReLU()            (64, 32)           0",
        "2  Linear(32 -> 10)  (64, 10)         330",
        "2,410 parameters, all trainable, 9.4 KiB",
        "",
        "2 epochs of sgd on cross-entropy, learning rate 0.1 falling to 0, 64 images per step, seed 3",
    ]
    first, second = map(EPOCH.fullmatch, lines[10:12])
    assert [first[1], first[2], second[1], second[2]] == ["1", "2", "2", "2"]
    assert float(second[3]) < float(first[3])
    assert float(second[4]) > float(first[4]) > 20
    assert lines[9] == ""
    assert LAST.fullmatch(lines[12])
    assert len(lines) == 13


def test_the_penalty_is_named_and_changes_the_training():
    plain, _ = run(*SHORT)
    penalised, _ = run(*SHORT, "--l2", "0.01")
    assert "2 epochs of adam on cross-entropy + 0.01/2 ||p||^2, learning rate" in penalised
    assert EPOCH.search(plain)[3] != EPOCH.search(penalised)[3]


def test_validation_images_are_judged_after_every_epoch_and_not_trained_on():
    output, _ = run(*SHORT, "--validation", "1373")
    lines = output.splitlines()[-3:-1]
    assert all(
        re.search(r"%; validation loss \d\.\d{4}, accuracy \d+\.\d\d %, [\d,]+ images/s", line) for line in lines
    )
    assert accuracy_of(output) < 70  # after two steps of 64 images


@pytest.mark.parametrize("name", ["sgd", "momentum", "adagrad", "rmsprop", "adam", "adamw"])
def test_every_optimizer_learns_with_its_default_rate(name):
    output, _ = run("--data", "digits", "--epochs", "6", "--optimizer", name)
    assert accuracy_of(output) > 93


@pytest.mark.parametrize("name", ["relu", "sigmoid", "tanh"])
def test_every_activation_learns(name):
    output, _ = run("--data", "digits", "--epochs", "20", "--hidden", "64", "--activation", name)
    assert accuracy_of(output) > 90


def test_the_default_run_on_the_small_digits_reaches_its_target():
    output, _ = run("--data", "digits")
    assert accuracy_of(output) >= 96
    assert len(EPOCH.findall(output)) == 40


@pytest.mark.needs("mnist")
def test_one_epoch_of_mnist():
    found = os.environ["TINYGRAD_LITE_DATA"]
    output, _ = run("--epochs", "1", "--hidden", "64", TINYGRAD_LITE_DATA=found)
    assert output.startswith("MNIST: 60000 training and 10000 test images of 28 x 28 pixels, from ")
    assert accuracy_of(output) > 94


def test_a_substitute_for_mnist_is_announced_twice(tmp_path):
    offline = "from tinygrad_lite.data import mnist; mnist.MIRRORS = ()"
    output, complaints = run("--epochs", "1", "--hidden", "8", prelude=offline, XDG_CACHE_HOME=str(tmp_path))
    assert output.startswith("NOT MNIST, but a substitute: 1437 training and 360 test images of 8 x 8 pixels")
    assert complaints.startswith("WARNING: NOT MNIST, but a substitute")


# --- The terminal -------------------------------------------------------------------------------------------


def run_on_terminal(*arguments, prelude=""):
    """What a terminal receives from a run."""
    pty = pytest.importorskip("pty")
    master, slave = pty.openpty()
    settings = environment(COLUMNS="120", LINES="30", TERM="xterm")
    with subprocess.Popen(command(*arguments, prelude=prelude), env=settings, stdout=slave, stderr=slave) as process:
        os.close(slave)
        received = b""
        while True:
            try:
                part = os.read(master, 1 << 16)
            except OSError:  # Linux's way to say that nobody has it open for writing any more
                break
            if not part:
                break
            received += part
    os.close(master)
    assert process.returncode == 0, received.decode()
    return received.decode()


def test_a_terminal_gets_a_bar_per_epoch():
    pytest.importorskip("tqdm")
    lines = run_on_terminal(*SHORT).split("\r\n")
    bars = [line for line in lines if "epoch" in line and "\r" in line]
    assert len(bars) == 2
    for number, bar in enumerate(bars, 1):
        final = bar.split("\r")[-1]
        numbers = r"training loss \d\.\d{4}, accuracy \d+\.\d\d % 100% \S+ +\S+ images/s, 00:0\d<00:00"
        assert re.fullmatch(rf"epoch {number}/2: {numbers}", final), final
    assert LAST.fullmatch(lines[-2])
    assert lines[-1] == ""


def test_a_terminal_without_tqdm_gets_the_lines():
    lines = run_on_terminal(*SHORT, prelude="sys.modules['tqdm'] = None").split("\r\n")
    assert all(map(EPOCH.fullmatch, lines[-4:-2]))
    assert LAST.fullmatch(lines[-2])


# --- What is written ----------------------------------------------------------------------------------------


def test_saved_weights_give_the_same_accuracy_again(tmp_path):
    output, _ = run(*SHORT[:-1], "32,16", "--activation", "tanh", "--save", tmp_path / "mlp.safetensors")
    assert f"weights: {tmp_path}/mlp.safetensors" in output.splitlines()
    metadata = nn.load_metadata(tmp_path / "mlp.safetensors")
    assert metadata["hidden"] == "32,16"
    assert metadata["activation"] == "tanh"
    digits = data.load_digits()
    _, images = digits.flat()
    share = float(metadata["dropout"])
    model = nn.Sequential(
        *(nn.Linear(64, 32), nn.Tanh(), nn.Dropout(share)),
        *(nn.Linear(32, 16), nn.Tanh(), nn.Dropout(share)),
        nn.Linear(16, 10),
    ).eval()
    model.load_state_dict(nn.load(tmp_path / "mlp.safetensors"))
    images = (images - np.float32(metadata["mean"])) / np.float32(metadata["spread"])
    with tgl.no_grad():
        right = model(tgl.Tensor(images)).argmax(axis=1).numpy() == digits.test_labels
    assert f"test accuracy {100 * right.mean():.2f} %" == output.splitlines()[-1]


def test_one_seed_gives_one_result_bit_for_bit(tmp_path):
    def weights(name, seed):
        output, _ = run(*SHORT, "--seed", seed, "--save", tmp_path / name)
        return (tmp_path / name).read_bytes(), [found[2:4] for found in EPOCH.findall(output)], output.splitlines()[-1]

    first, again, other = weights("a", 5), weights("b", 5), weights("c", 6)
    assert first == again
    assert first[0] != other[0]
    assert first[1] != other[1]


@pytest.mark.parametrize("more", [[], ["--validation", "100"]], ids=["without validation", "with validation"])
def test_plot_draws_the_curves_and_the_mistakes(tmp_path, more):
    pytest.importorskip("matplotlib")
    output, _ = run(*SHORT, *more, "--plot", "curves.png", cwd=tmp_path)
    assert output.splitlines()[-3:-1] == ["curves: curves.png", "mistakes: curves-mistakes.png"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curves-mistakes.png", "curves.png"]
    for path in tmp_path.iterdir():
        content = path.read_bytes()
        assert content.startswith(b"\x89PNG\r\n\x1a\n")
        assert len(content) > 20_000


# --- What is refused, before any work -----------------------------------------------------------------------


def test_help_lists_every_option_with_its_default():
    output, _ = run("--help", COLUMNS="100")
    assert output.startswith("usage: python examples/mnist_mlp.py [options]\n")
    text = " ".join(output.split())
    options = ["--data", "--data-dir", "--validation", "--hidden", "--activation", "--l2", "--dropout", "--optimizer"]
    options += ["--lr", "--epochs", "--batch-size", "--seed", "--device", "--save", "--plot"]
    assert sorted(set(re.findall(r"--[a-z0-9-]+(?= [A-Z])", output))) == sorted(options)
    for default in ("512,256", "relu", "adam", "10; 40 if there are fewer than 10000", "cpu", "0", "auto"):
        assert f"(default: {default})" in text


REFUSED = [
    (["--hidden", "abc"], "argument --hidden: needs widths such as 100 or 512,256, but got 'abc'"),
    (["--device", "tpu"], "argument --device: needs cpu, cuda or cuda:N, but got 'tpu'"),
    (["--device", "cuda0"], "argument --device: needs cpu, cuda or cuda:N, but got 'cuda0'"),
    (["--device", "cuda:"], "argument --device: needs cpu, cuda or cuda:N, but got 'cuda:'"),
    (["--hidden", "100,"], "argument --hidden: needs widths such as 100 or 512,256, but got '100,'"),
    (["--hidden", "0"], "argument --hidden: needs widths such as 100 or 512,256, but got '0'"),
    (["--activation", "gelu"], "argument --activation: knows relu, sigmoid, tanh, but got 'gelu'"),
    (
        ["--optimizer", "lion"],
        "argument --optimizer: knows sgd, momentum, adagrad, rmsprop, adam, adamw, but got 'lion'",
    ),
    (["--epochs", "0"], "argument --epochs: needs an integer of at least 1, but got '0'"),
    (["--epochs", "1.5"], "argument --epochs: needs an integer of at least 1, but got '1.5'"),
    (["--batch-size", "-1"], "argument --batch-size: needs an integer of at least 1, but got '-1'"),
    (["--lr", "0"], "argument --lr: needs a number above 0, but got '0'"),
    (["--lr", "nan"], "argument --lr: needs a number above 0, but got 'nan'"),
    (["--lr", "inf"], "argument --lr: needs a number above 0, but got 'inf'"),
    (["--l2=-1"], "argument --l2: needs a number of at least 0, but got '-1'"),
    (["--dropout", "1"], "argument --dropout: needs a number from 0 on and below 1, but got '1'"),
    (["--seed", "x"], "argument --seed: needs an integer from 0 to 18446744073709551615, but got 'x'"),
    (["--data", "cifar"], "argument --data: knows auto, mnist, digits, but got 'cifar'"),
    (
        ["--data", "digits", "--data-dir", "."],
        "argument --data-dir: is where MNIST lies, but --data digits asks for the digits of the package",
    ),
    (["--save", "."], "argument --save: needs the name of a file, but got '.'"),
    (["--save", "nowhere/a"], "argument --save: needs a folder that exists, but there is no 'nowhere'"),
    (["--save", "a/"], "argument --save: needs the name of a file, but got 'a/'"),
    (["--save", "~nouser/a"], "argument --save: needs a folder that exists, but there is no '~nouser'"),
    (
        ["--save", "./a.png", "--plot", "a.png"],
        "argument --save: needs another file than those of --plot, but got 'a.png'",
    ),
    (
        ["--save", "a-mistakes.png", "--plot", "a.png"],
        "argument --save: needs another file than those of --plot, but got 'a-mistakes.png'",
    ),
    (
        ["--save", "a" * 300],
        f"argument --save: needs a file that can be written, but got '{'a' * 300}': {os.strerror(errno.ENAMETOOLONG)}",
    ),
    (["--plot", "nowhere/a.png"], "argument --plot: needs a folder that exists, but there is no 'nowhere'"),
    (["--plot", "a.txt"], "argument --plot: needs a name that ends in .png or .pdf or .svg, but got 'a.txt'"),
    (["--momentum", "0.9"], "unrecognized arguments: --momentum 0.9"),
    (
        ["--data", "digits", "--validation", "1437"],
        "argument --validation: leaves none of the 1437 images to train on",
    ),
]  # fmt: skip


@pytest.mark.parametrize("arguments, message", REFUSED, ids=[" ".join(arguments)[:50] for arguments, _ in REFUSED])
def test_a_value_that_cannot_be_right_is_refused(arguments, message, tmp_path):
    if "--save" in arguments and "--plot" in arguments:
        pytest.importorskip("matplotlib")  # whose absence is refused first
    output, complaints = run(*arguments, status=2, cwd=tmp_path)
    assert output == ""
    assert complaints == f"usage: python examples/mnist_mlp.py [options]\nmnist_mlp.py: error: {message}\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "prelude, arguments, message",
    [
        (
            "sys.modules['matplotlib'] = None",
            ["--plot", "a.png"],
            "argument --plot: needs matplotlib: pip install tinygrad_lite[examples]",
        ),
        (
            "import os; os.access = lambda *arguments: False",
            ["--save", "a"],
            "argument --save: needs a folder that can be written, but '.' cannot",
        ),
    ],
    ids=["matplotlib is missing", "the folder is read-only"],
)
def test_what_this_machine_cannot_do_is_refused(prelude, arguments, message, tmp_path):
    output, complaints = run(*arguments, prelude=prelude, status=2, cwd=tmp_path)
    assert output == ""
    assert complaints == f"usage: python examples/mnist_mlp.py [options]\nmnist_mlp.py: error: {message}\n"


def test_a_device_that_is_not_there_gives_the_error_of_the_package():
    no_driver = "import ctypes\ndef CDLL(*_, **__): raise OSError\nctypes.CDLL = CDLL"
    output, complaints = run("--device", "cuda", prelude=no_driver, status=1)
    assert output == ""
    assert re.sub(r"py:\d+", "py:N", complaints) == (
        "DeviceError: cuda needs NVIDIA's driver, and there is none on this machine\n"
        "  at    mnist_mlp.py:N: tgl.zeros(0, device=options.device)  # refuses a device that is not there\n"
        '  hint  install NVIDIA\'s driver, which brings libcuda.so.1; device="cpu" computes the same\n'
    )


def test_help_says_what_a_device_is():
    output, _ = run("--help", COLUMNS="100")
    assert "where to compute: cpu, cuda, or cuda:1 for the second GPU (default: cpu)" in " ".join(output.split())


def test_a_folder_without_mnist_gives_the_error_of_the_package(tmp_path):
    output, complaints = run("--data-dir", tmp_path, status=1)
    tried = ", ".join(str(tmp_path / below) for below in ("", "mnist", "MNIST", "MNIST/raw"))
    names = "train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte"
    assert output == ""
    assert re.sub(r"py:\d+", "py:N", complaints) == (
        "DataNotFoundError: load_mnist needs the four MNIST files in the folder given by data_dir, "
        f"but they are not in {tried}\n"
        '  at    mnist_mlp.py:N: return data.load_mnist(options.data_dir, fallback=options.data == "auto")\n'
        f"  hint  put {names} (each plain or .gz) into one folder and name it "
        "with data_dir or the variable TINYGRAD_LITE_DATA\n"
    )


def test_a_loss_that_is_not_a_number_ends_the_run():
    output, complaints = run(*SHORT, "--optimizer", "sgd", "--lr", "1e30", status=1)
    assert complaints == "the loss is nan: the steps were too long; try an --lr below 1e+30\n"
    assert "test accuracy" not in output


def test_a_penalty_that_makes_the_training_diverge_is_named():
    _, complaints = run(*SHORT, "--optimizer", "sgd", "--l2", "1e30", status=1)
    assert complaints == ("the loss is nan: the steps were too long; try an --lr below 0.2 or an --l2 below 1e+30\n")


def test_weights_that_the_last_step_spoiled_are_not_saved(tmp_path):
    """One step on all images: the loss before it is finite."""
    pytest.importorskip("matplotlib")
    step = ["--data", "digits", "--epochs", "1", "--batch-size", "1437", "--optimizer", "sgd", "--lr", "1e38"]
    output, complaints = run(*step, "--save", "w", "--plot", "a.png", status=1, cwd=tmp_path)
    assert EPOCH.search(output)
    assert complaints == ("the error on the test images is nan: the steps were too long; try an --lr below 1e+38\n")
    assert list(tmp_path.iterdir()) == []


def test_a_batch_has_no_more_images_than_there_are():
    output, _ = run(*SHORT, "--batch-size", "5000", "--validation", "37")
    assert "0  Linear(64 -> 32)  (1400, 32)       2,080" in output
    assert "learning rate 0.0015 falling to 0, 1400 images per step, seed 0" in output


# --- Unusual surroundings -----------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [SHORT, ["--help"]], ids=["a run", "help"])
def test_output_that_nobody_reads_ends_the_run_in_silence(arguments):
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command(*arguments), env=environment(), stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode == 1 or arguments == ["--help"]  # some versions of argparse take no notice


def test_a_name_that_the_output_cannot_show_is_escaped(tmp_path):
    output, complaints = run(*SHORT, "--save", "gewichte-ü", cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert complaints == ""
    assert "weights: gewichte-\\xfc" in output.splitlines()
    assert [path.name for path in tmp_path.iterdir()] == ["gewichte-ü"]


@pytest.mark.skipif(os.name != "posix", reason="needs pipes and symbolic links")
def test_results_only_replace_files(tmp_path):
    pytest.importorskip("matplotlib")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere" / "a")
    (tmp_path / "a-mistakes.png").mkdir()
    (tmp_path / "curves.png").symlink_to("w")
    before = sorted(tmp_path.iterdir())
    refused = [
        (["--save", "pipe"], "--save: needs the name of a file, but got 'pipe'"),
        (["--save", "link"], "--save: needs the name of a file, but got 'link'"),
        (["--save", "dangling"], f"--save: needs a folder that exists, but there is no '{tmp_path}/nowhere'"),
        (["--plot", "a.png"], "--plot: needs the name of a file, but got 'a-mistakes.png'"),
        (["--plot", "curves.png", "--save", "w"], "--save: needs another file than those of --plot, but got 'w'"),
    ]
    for arguments, message in refused:
        _, complaints = run(*arguments, status=2, cwd=tmp_path)
        assert complaints == f"usage: python examples/mnist_mlp.py [options]\nmnist_mlp.py: error: argument {message}\n"
    assert sorted(tmp_path.iterdir()) == before
