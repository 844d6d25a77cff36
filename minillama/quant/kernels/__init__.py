"""Products of quantized matrices with float activations, in Numba: one token at memory speed, or many at once."""
