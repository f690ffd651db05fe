"""The CPU backend: the array namespace on NumPy, fused overrides of hot rows, optimiser updates."""
