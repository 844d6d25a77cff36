"""Weights in few bits: block formats, kernels, and the engine that runs on them."""
