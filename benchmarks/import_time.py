"""What ``import tinygrad_lite`` costs above ``import numpy``: medians over fresh processes, in turn.

python benchmarks/import_time.py
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

TARGET_MS = 60.0
ROUNDS = 15


def import_ms(statement: str) -> float:
    code = f"import time; t = time.perf_counter(); {statement}; print(1e3 * (time.perf_counter() - t))"
    # Byte code is kept between imports, as it is for an installed package.
    environment = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", code]
    return float(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)


def main() -> None:
    import_ms("import tinygrad_lite")  # writes the byte code
    above = []
    for _ in range(ROUNDS):
        base = import_ms("import numpy")
        above.append(import_ms("import tinygrad_lite") - base)
    median = statistics.median(above)
    verdict = "met" if median <= TARGET_MS else "MISSED"
    print(f"import tinygrad_lite: {median:.1f} ms above import numpy   <= {TARGET_MS:.0f} ms {verdict}")


if __name__ == "__main__":
    main()
