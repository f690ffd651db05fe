"""The whole text of an error, for tests of what the package refuses: everything but the number of the user's line."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable
from typing import Any

import pytest

from tinygrad_lite.errors import Error


def refusal(kind: type[Exception], call: Callable[[], Any]) -> str:
    """The text of the error of exactly this ``kind``, without its ``at`` line, which must lead to ``call``'s file.

    ``call`` is a function of the test itself, such as a lambda: the package takes its caller for the user.
    """
    with pytest.raises(kind) as caught:
        call()
    assert type(caught.value) is kind or not issubclass(kind, Error)
    text = str(caught.value)
    at = re.search(r"\n  at +(\S+):\d+: [^\n]+", text)
    assert at, f"no line of the user in: {text}"
    assert at[1] == os.path.basename(str(inspect.getsourcefile(call)))
    return text.replace(at[0], "")


def refuses(kind: type[Exception], call: Callable[[], Any], text: str) -> None:
    """Assert that ``call`` is refused with exactly this ``text``."""
    assert refusal(kind, call) == text
