"""Writes tests/golden/kquants.npz: what ggml makes of the weights of kquant_rows.py.

    make bench-deps
    python -m tests.quant.make_golden

`q4_k` and `q6_k` are the bytes of edge_rows(), in its order; `q4_k_errors` and `q6_k_errors` the mean squared errors of
the matrices, in the order of SHAPES_OF_WEIGHTS.
"""

import numpy as np

from tests.quant.ggml_library import ggml_quantize
from tests.quant.kquant_rows import GOLDEN, SHAPES_OF_WEIGHTS, edge_rows, matrix, mean_squared_error


def main() -> None:
    found = {}
    for name in ("q4_k", "q6_k"):
        found[name] = ggml_quantize(name, np.stack(list(edge_rows().values())))
        matrices = {kind: matrix(kind) for kind in SHAPES_OF_WEIGHTS}
        errors = [mean_squared_error(name, x, ggml_quantize(name, x)) for x in matrices.values()]
        found[f"{name}_errors"] = np.array(errors)
    np.savez_compressed(GOLDEN, **found)


if __name__ == "__main__":
    main()
