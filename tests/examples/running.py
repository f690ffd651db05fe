"""Running an example as its user does: a fresh process, warnings are errors, one thread."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def run_example(name: str, *arguments: object, status: int = 0) -> tuple[str, str]:
    """Output and error output of ``examples/<name>``, which has to end with ``status``."""
    one_thread = {"OPENBLAS_NUM_THREADS": "1", "TINYGRAD_LITE_NUM_THREADS": "1"}
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / name), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **one_thread}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    return done.stdout, done.stderr
