"""How a communicator is found, and what is said if MPI and its launcher do not fit together."""

from __future__ import annotations

import subprocess
import sys
import types

import pytest
from refusals import refusal, refuses

from tinygrad_lite import distributed as dist
from tinygrad_lite.distributed import __main__ as command
from tinygrad_lite.distributed import choice, start
from tinygrad_lite.errors import CommunicationError, DependencyError


def fake_mpi(size: int) -> types.SimpleNamespace:
    world = types.SimpleNamespace(Get_size=lambda: size)
    return types.SimpleNamespace(COMM_WORLD=world, Get_library_version=lambda: "Open MPI v5.0.11, package: somewhere")


@pytest.fixture(autouse=True)
def _no_launcher(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in start._SIZES:
        monkeypatch.delenv(name, raising=False)


def test_without_a_launcher_there_is_one_rank_and_mpi4py_is_not_imported() -> None:
    code = (
        "import sys; from tinygrad_lite import distributed as d; c = d.init();"
        "print(c.rank, c.size, 'mpi4py' in sys.modules, c.connection)"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0 1 False None\n"


def test_importing_the_package_does_not_load_the_distributed_part() -> None:
    code = "import sys, tinygrad_lite; print('tinygrad_lite.distributed' in sys.modules, 'mpi4py' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False False\n"


@pytest.mark.parametrize("name", start._SIZES)
def test_every_launcher_is_recognised(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, "6")
    assert start.launched_ranks() == 6
    monkeypatch.setenv(name, "x")
    assert start.launched_ranks() == 1


def test_several_ranks_need_mpi4py(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    monkeypatch.setenv("OMPI_MCA_osc", "")
    assert refusal(DependencyError, lambda: dist.init()) == (
        "init needs mpi4py, because 2 ranks were started: import of mpi4py halted; None in sys.modules\n"
        "  hint  pip install 'tinygrad_lite[mpi]' brings mpi4py and an mpirun that fits it"
    )


def test_the_launcher_of_another_mpi_is_refused() -> None:
    refuses(
        CommunicationError,
        lambda: start.check_world(4, fake_mpi(1)),
        "init needs the mpirun of mpi4py's own MPI (Open MPI v5.0.11), but of 4 started ranks it sees 1\n"
        "  hint  use the mpirun that is installed beside this Python",
    )
    start.check_world(4, fake_mpi(4))


def test_open_mpis_launcher_is_refused_for_mpich_before_it_starts() -> None:
    def fake(vendor: str) -> types.SimpleNamespace:
        return types.SimpleNamespace(get_vendor=lambda: (vendor, (5, 0, 2)))

    launched = {"OMPI_COMM_WORLD_SIZE": "4"}
    refuses(
        CommunicationError,
        lambda: start.check_launcher(launched, fake("MPICH")),
        "init needs the mpirun of mpi4py's own MPI (MPICH 5.0.2), but Open MPI's started these 4 ranks\n"
        "  hint  use the mpirun that is installed beside this Python",
    )
    start.check_launcher(launched, fake("Open MPI"))
    start.check_launcher({"PMI_SIZE": "4"}, fake("MPICH"))


def test_buffers_need_mpi() -> None:
    refuses(
        DependencyError,
        lambda: dist.Buffers(dist.init()),
        "Buffers needs a communicator over MPI, but got one of a single rank\n"
        "  hint  start the program by mpirun; one rank needs no collectives",
    )


def test_a_stored_table_comes_back_and_a_damaged_one_counts_as_none(
    tmp_path: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert choice.load("here", 4) == choice.defaults(4)
    table = {**choice.defaults(2), "allreduce private": [(512.0, "doubling"), (float("inf"), "ring")]}
    file = choice.save("here", table)
    assert choice.load("here", 4) == table
    assert choice.choose(table, "allreduce", "private", 512) == "doubling"
    assert choice.choose(table, "allreduce", "private", 513) == "ring"
    huge = file.read_text().replace("512.0", "9" * 400)
    for damaged in (
        "",
        "{}",
        "[]",
        "7",
        "null",
        huge,
        file.read_text().replace("doubling", "magic"),
        file.read_text().replace("null", "9"),
    ):
        file.write_text(damaged)
        assert choice.load("here", 4) == choice.defaults(4)


def test_without_a_home_the_defaults_count(monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> None:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(choice.Path, "home", homeless)
    assert choice.load("here", 4) == choice.defaults(4)


def test_the_machine_is_named_after_what_the_table_depends_on() -> None:
    names = {choice.machine(mpi, hosts, 4) for mpi in ("Open MPI v5", "MPICH") for hosts in ([4], [2], [2, 2])}
    assert len(names) == 6
    assert all(name.startswith(("1x4-", "1x2-", "2x2-")) for name in names)


def test_the_command_shows_the_table(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["distributed", "show"])
    command.main()
    text = capsys.readouterr().out
    assert text.startswith("1 ranks, one rank\n  allreduce window")
    assert "mpi to 2 KiB, direct beyond" in text
    monkeypatch.setattr(sys, "argv", ["distributed", "tune"])
    with pytest.raises(SystemExit):
        command.main()
    assert (
        "one rank has nothing to choose: mpirun -n 4 python -m tinygrad_lite.distributed tune"
        in capsys.readouterr().err
    )


def test_tuning_needs_a_size(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["distributed", "tune", "--most", "100"])
    with pytest.raises(SystemExit):
        command.main()
    assert "--most needs at least 4096 bytes, but got 100" in capsys.readouterr().err


def test_the_help_of_the_command_has_no_markup(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["distributed", "--help"])
    with pytest.raises(SystemExit):
        command.main()
    text = capsys.readouterr().out
    assert "`" not in text
    assert "Which algorithm the collectives take for which size" in text
