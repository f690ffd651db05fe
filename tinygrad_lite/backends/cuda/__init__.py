"""The array namespace on an NVIDIA GPU: PyCUDA as the driver, our own arrays, kernels, launches and compile cache."""
