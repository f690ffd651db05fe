"""Scripts of checks are for mpirun: pytest, which looks for doctests in every file, would run them on its own."""

collect_ignore_glob = ["*_checks.py"]
