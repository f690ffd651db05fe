"""How tensors meet other array libraries: the array API standard, NumPy's protocols and DLPack."""
