"""Downloading, from mirrors on this very machine that misbehave in every way that mirrors do."""

import errno
import gzip
import http.server
import os
import socket
import threading
import urllib.error

import pytest

from tinygrad_lite import errors
from tinygrad_lite.data import download, download_mnist, load_mnist, mnist


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch, home, tiny_is_mnist):
    for name in list(os.environ):
        if name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)


class Mirror:
    """A web server; ``answers`` maps a file name to what answers a request for it wrongly."""

    def __init__(self, files):
        self.asked = []
        self.agents = set()
        self.answers = {}
        mirror = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                name = self.path.rpartition("/")[2]
                mirror.asked.append(name)
                mirror.agents.add(self.headers["User-Agent"])
                body = gzip.compress(files[name.removesuffix(".gz")])
                mirror.answers.get(name.removesuffix(".gz"), send)(self, body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_address[1]}/mnist/"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def send(request, body, length=None):
    request.send_response(200)
    request.send_header("Content-Length", str(len(body) if length is None else length))
    request.end_headers()
    request.wfile.write(body)


@pytest.fixture
def mirrors(tiny):
    made = [Mirror(tiny), Mirror(tiny)]
    yield made
    for mirror in made:
        mirror.close()


def addresses(mirrors):
    return [mirror.address for mirror in mirrors]


NAMES = [file.name for file in mnist.FILES]


def test_one_good_mirror_gives_all_files_and_the_next_is_not_asked(mirrors, home, tiny):
    download_mnist(home, mirrors=addresses(mirrors))
    assert {path.name: gzip.decompress(path.read_bytes()) for path in home.iterdir()} == {
        f"{name}.gz": raw for name, raw in tiny.items()
    }
    assert mirrors[0].asked == [f"{name}.gz" for name in NAMES]
    assert mirrors[1].asked == []
    assert all(agent.startswith("tinygrad_lite") for agent in mirrors[0].agents)


def test_only_missing_files_are_downloaded(mirrors, home, tiny, put):
    put(home, {name: tiny[name] for name in NAMES[:3]}, compressed=False)
    download_mnist(home, mirrors=addresses(mirrors))
    assert mirrors[0].asked == [f"{NAMES[3]}.gz"]


def test_load_mnist_downloads_into_the_cache_once(mirrors, home, monkeypatch, capsys):
    monkeypatch.setattr(mnist, "MIRRORS", addresses(mirrors))
    first = load_mnist()
    assert not first.substituted
    assert first.source.endswith(f"from {home}")
    assert f"tinygrad_lite: downloading {mirrors[0].address}{NAMES[0]}.gz into {home}\n" in capsys.readouterr().err
    assert load_mnist().source == first.source
    assert len(mirrors[0].asked) == 4


def not_found(request, body):
    request.send_error(404)


def other_content(request, body):
    send(request, gzip.compress(gzip.decompress(body)[:-1] + b"\x05"))


def page(request, body):
    send(request, b"<html>please log in</html>")


def truncated(request, body):
    send(request, body[:-20], len(body))


def truncated_without_length(request, body):
    request.send_response(200)
    request.end_headers()
    request.wfile.write(body[:-20])


def oversized(request, body):
    send(request, body + bytes(10_000))


def bomb(request, body):
    send(request, gzip.compress(bytes([0, 0, 8, 1, 16, 0, 0, 0]) + bytes(100_000)))


def hang_up(request, body):
    request.connection.shutdown(socket.SHUT_RDWR)


FAULTS = {
    not_found: r"HTTP status 404",
    other_content: r"needs \S+\.part to be MNIST's train-labels-idx1-ubyte with SHA-256 \w+ .* but found \w+",
    page: r"needs a complete IDX file, but \S+\.part is not one: it begins with 0x3c68746d; .*",
    truncated: r"sends \d+ of \d+ bytes|IncompleteRead.*",
    truncated_without_length: r"needs a complete IDX file, but .* its gzip compression is damaged: .*",
    oversized: r"sends more than the 1044 bytes that the file can have",
    bomb: r"needs a complete IDX file, .* shape \(268435456,\) of uint8: too large, more than the limit of \d+ bytes",
    hang_up: r"Remote end closed connection without response|Connection reset by peer",
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_the_next_mirror_makes_up_for_a_bad_one(mirrors, home, tiny, fault):
    mirrors[0].answers[NAMES[1]] = fault
    download_mnist(home, mirrors=addresses(mirrors))
    assert sorted(os.listdir(home)) == sorted(f"{name}.gz" for name in NAMES)
    assert gzip.decompress((home / f"{NAMES[1]}.gz").read_bytes()) == tiny[NAMES[1]]
    assert mirrors[0].asked == [f"{name}.gz" for name in NAMES[:2]]
    assert mirrors[1].asked == [f"{name}.gz" for name in NAMES[1:]]


@pytest.mark.parametrize("fault, reason", FAULTS.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_nothing_partial_is_left_and_the_reason_is_given(mirrors, home, fault, reason):
    mirrors[0].answers[NAMES[1]] = fault
    with pytest.raises(errors.DataNotFoundError, match=rf"mirror delivered them: \S+ \(({reason})\)\n"):
        download_mnist(home, mirrors=addresses(mirrors[:1]))
    assert os.listdir(home) == [f"{NAMES[0]}.gz"]


def test_an_interruption_leaves_no_partial_file(mirrors, home, monkeypatch):
    def interrupt(*_):
        assert any(name.endswith(".part") for name in os.listdir(home))
        raise KeyboardInterrupt

    monkeypatch.setattr(mnist, "_verified", interrupt)
    with pytest.raises(KeyboardInterrupt):
        download_mnist(home, mirrors=addresses(mirrors))
    assert not home.parent.parent.exists()


def test_an_existing_file_survives_a_failed_download(mirrors, tmp_path):
    target = tmp_path / "file"
    target.write_bytes(b"old")
    mirrors[0].answers[NAMES[0]] = truncated
    with pytest.raises(download.FAILURES):
        download.fetch(mirrors[0].address + NAMES[0], target, lambda path: None, limit=10_000, timeout=5)
    assert target.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_a_folder_that_was_there_stays_after_a_failed_download(home):
    home.parent.mkdir(parents=True)
    with pytest.raises(errors.DataNotFoundError, match="no mirror delivered them"):
        download_mnist(home, mirrors=[])
    assert home.parent.is_dir()
    assert not home.exists()


def test_a_silent_mirror_is_given_up(home):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts the connection and says nothing
        address = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        with pytest.raises(errors.DataNotFoundError, match=r"\(no answer within 0.2 s\)|\(timed out\)"):
            download_mnist(home, mirrors=[address], timeout=0.2)
    assert not home.parent.parent.exists()


def test_all_mirrors_failing_is_one_error_with_every_reason(mirrors, home, message):
    for mirror in mirrors:
        mirror.answers[NAMES[0]] = not_found
    with pytest.raises(errors.DataNotFoundError) as caught:
        download_mnist(home, mirrors=addresses(mirrors))
    assert message(caught) == (
        f"download_mnist needs to put the four MNIST files into {home}, but no mirror delivered them: "
        f"{mirrors[0].address} (HTTP status 404); {mirrors[1].address} (HTTP status 404)\n"
        "  at    test_download.py:N: download_mnist(home, mirrors=addresses(mirrors))\n"
        f"  hint  put {', '.join(NAMES)} (each plain or .gz) into one folder and name it with data_dir "
        "or the variable TINYGRAD_LITE_DATA"
    )


def test_failing_mirrors_bring_the_bundled_digits_and_say_why(mirrors, home, monkeypatch, capsys):
    mirrors[0].answers[NAMES[0]] = not_found
    monkeypatch.setattr(mnist, "MIRRORS", addresses(mirrors[:1]))
    assert load_mnist().substituted
    assert (
        f"  why       the MNIST files are not in {home} and no mirror delivered them: "
        f"{mirrors[0].address} (HTTP status 404).\n"
    ) in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_a_reason_to_fall_back(home, monkeypatch, capsys):
    home.parent.parent.mkdir()
    home.parent.write_text("a file where the folder would be")
    assert load_mnist().substituted
    assert "and the folder cannot be made: Not a directory.\n" in capsys.readouterr().err


NO_NETWORK = {
    "name server": (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), True),
    "network": (OSError(errno.ENETUNREACH, "Network is unreachable"), True),
    "host": (OSError(errno.EHOSTUNREACH, "No route to host"), True),
    "unknown name": (socket.gaierror(socket.EAI_NONAME, "Name or service not known"), False),
    "refused": (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), False),
    "timeout": (TimeoutError("no answer within 5 s"), False),
}


@pytest.mark.parametrize("cause, hopeless", NO_NETWORK.values(), ids=NO_NETWORK)
def test_other_mirrors_are_tried_unless_there_is_no_network(home, monkeypatch, cause, hopeless):
    asked = []

    def urlopen(request, timeout):
        asked.append(request.full_url)
        raise urllib.error.URLError(cause)

    monkeypatch.setattr("urllib.request.urlopen", urlopen)
    with pytest.raises(errors.DataNotFoundError, match=cause.strerror or str(cause)):
        download_mnist(home, mirrors=["https://a.example/", "https://b.example/"])
    assert len(asked) == (1 if hopeless else 2)
    assert not home.parent.parent.exists()
