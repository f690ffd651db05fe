"""Fetching one file from the network so that either the whole, verified file appears or nothing does.

Nothing here knows about MNIST; ``mnist.py`` names the files, their checksums and the mirrors.
"""

from __future__ import annotations

import errno
import http.client
import os
import queue
import secrets
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from tinygrad_lite import errors

__all__ = ["FAILURES", "fetch", "means_no_network", "reason"]

FAILURES = (OSError, http.client.HTTPException, ValueError)
"""What ``fetch`` raises when a mirror does not deliver; ValueError is a URL or a content that is wrong."""

_AGENT = "tinygrad_lite (Python; data set loader)"
_CHUNK = 2**16
_NO_NETWORK = {errno.ENETUNREACH, errno.ENETDOWN, errno.EHOSTUNREACH}


def fetch(url: str, target: Path, check: Callable[[Path], object], *, limit: int, timeout: float) -> None:
    """Download ``url`` to ``target``, which comes into being complete and checked, or not at all.

    The bytes go to a temporary file in the same folder, reach the disk, pass ``check`` and only then take
    their final name, in one step. Several processes may do so at once; the last one wins.

    Args:
        url: address of the file.
        target: path of the file to create or replace; its folder exists.
        check: called with the temporary file; raises ValueError if the content is wrong.
        limit: the most bytes to accept.
        timeout: seconds until the address must have answered, and then between two pieces of its answer.

    Raises:
        OSError, http.client.HTTPException, ValueError: one of ``FAILURES``; ``target`` is as it was.
    """
    part = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        with open(part, "xb") as file, _answer(url, timeout) as response:
            announced = response.headers.get("Content-Length")
            received = 0
            while chunk := response.read(_CHUNK):
                received += len(chunk)
                if received > limit:
                    raise ValueError(f"sends more than the {limit} bytes that the file can have")
                file.write(chunk)
            if announced is not None and announced.isdecimal() and received != int(announced):
                raise ValueError(f"sends {received} of {announced} bytes")
            file.flush()
            os.fsync(file.fileno())
        check(part)
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)


def means_no_network(error: BaseException) -> bool:
    """Whether a failure says that the machine reaches nothing at all, so that other mirrors need no try."""
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, socket.gaierror):
        return cause.errno == socket.EAI_AGAIN  # no name server answers; an unknown name is EAI_NONAME
    return isinstance(cause, OSError) and cause.errno in _NO_NETWORK


def reason(error: BaseException) -> str:
    """Why a download failed, in a few words."""
    if isinstance(error, errors.Error):
        return error.need
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP status {error.code}"
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, OSError) and cause.strerror:
        return cause.strerror
    return str(cause) or type(cause).__name__


def _answer(url: str, timeout: float) -> http.client.HTTPResponse:
    """Open ``url``, giving up after ``timeout`` seconds in all.

    The timeout of ``urlopen`` counts anew for every address of the host and not at all while the name is
    looked up: behind a silent firewall that adds up to minutes.
    """
    request = urllib.request.Request(url, headers={"User-Agent": _AGENT})
    answers: queue.SimpleQueue[http.client.HTTPResponse | BaseException] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(urllib.request.urlopen(request, timeout=timeout))
        except BaseException as error:
            answers.put(error)

    threading.Thread(target=ask, name="tinygrad_lite-download", daemon=True).start()
    try:
        answer = answers.get(timeout=timeout)
    except queue.Empty:
        raise TimeoutError(f"no answer within {timeout:g} s") from None
    if isinstance(answer, urllib.error.HTTPError):
        answer.close()  # it holds the connection
    if isinstance(answer, BaseException):
        raise answer
    return answer
