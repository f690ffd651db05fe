"""The computation graph: recording, rules, the engine, and the transforms built on it."""

from typing import TYPE_CHECKING as _TYPE_CHECKING

if not _TYPE_CHECKING:  # mypy knows every name

    def __getattr__(name: str) -> object:
        from tinygrad_lite.dialects import refuse_foreign

        refuse_foreign(__name__, name)
