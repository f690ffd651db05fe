"""Run a program on the emulated GPU: python tests/cuda_harness/run.py examples/mnist_mlp.py --device cuda"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path


def main() -> None:
    if len(sys.argv) < 2:
        raise SystemExit(f"usage: python {sys.argv[0]} program.py [arguments]")
    program = sys.argv[1]
    if not Path(program).exists():
        raise SystemExit(f"run.py: there is no {program}")
    # This program's folder makes way for the one above it, from which the harness is imported as the tests import it.
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    import cuda_harness

    try:
        cuda_harness.install()
    except (RuntimeError, ValueError) as error:
        raise SystemExit(f"run.py: {error}") from None
    sys.argv = sys.argv[1:]
    # What Python itself does for a program: its own folder is searched first.
    sys.path[0] = str(Path(program).resolve().parent)
    try:
        runpy.run_path(program, run_name="__main__")
    except Exception:
        if cuda_harness.last_error():
            print(f"emulated driver: {cuda_harness.last_error()}", file=sys.stderr)
        raise


if __name__ == "__main__":
    main()
