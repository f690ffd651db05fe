"""Array backends: the same namespace on each kind of array. ``namespace.py`` lists what it holds."""
