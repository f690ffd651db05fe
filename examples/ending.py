"""How a program ends: what a user can mend in one sentence, and no traceback where the reader of a pipe has gone."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable

from tinygrad_lite import errors


def run(main: Callable[[], None]) -> None:
    """Call ``main``; where data, a device or a package is missing, end with status 1 and one sentence."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # for names of files that the terminal cannot show
    try:
        try:
            main()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:  # nobody reads on, as after | head; Python's own flush at exit must not fail again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except (errors.DataError, errors.DeviceError, errors.DependencyError) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    except KeyboardInterrupt:
        sys.exit("stopped; nothing was saved")
