"""The whole forward pass of a quantized model in Numba: what runs a 7B on a laptop."""
