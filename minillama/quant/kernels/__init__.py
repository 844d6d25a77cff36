"""Products of quantized matrices with float activations, in Numba: one token at the speed of memory, or many at once."""
