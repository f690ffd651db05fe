"""What the tests of the engine share: the whole text of an error, apart from the number of the user's line."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def refusal(request: pytest.FixtureRequest) -> Callable[[type[Exception], Callable[[], Any]], str]:
    """``refusal(kind, call)``: the text of the error that ``call`` raises, without its line about this file."""
    name = re.escape(Path(request.path).name)

    def text_of(kind: type[Exception], call: Callable[[], Any]) -> str:
        with pytest.raises(kind) as caught:
            call()
        assert type(caught.value) is kind
        text, found = re.subn(rf"\n  at +{name}:\d+: [^\n]+", "", str(caught.value))
        assert found == 1, str(caught.value)
        return text

    return text_of
