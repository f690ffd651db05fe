"""The public functions of tensors, grouped as a reader looks for them."""
