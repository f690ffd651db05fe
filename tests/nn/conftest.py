"""What the tests of ``nn`` share: whole error texts, and PyTorch where it is installed."""

import inspect
import os
import re

import pytest


@pytest.fixture
def refuses():
    """``refuses(kind, call, text)``: the whole error but its ``at`` line, which must lead to the test's file."""

    def check(kind, call, text):
        with pytest.raises(kind) as info:
            call()
        at = re.search(r"\n  at +(\S+):\d+: .+", str(info.value))
        assert at, f"no line in: {info.value}"
        assert at[1] == os.path.basename(inspect.getsourcefile(call))
        assert str(info.value).replace(at[0], "") == text

    return check


@pytest.fixture
def torch():
    return pytest.importorskip("torch")
