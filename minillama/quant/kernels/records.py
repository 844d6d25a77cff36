"""How activations lie in memory while they are multiplied: one record for 32 of them.

codes          32 int8     round(127 * x / largest |x|), so -127..127
scale          float32     largest |x| / 127; x is about scale * code
scaled_sum     float32     scale * sum(codes): what a minimum of the weights is multiplied by
offset         int32       -8 * sum(codes): what nibbles that mean code - 8 have too much
half_offsets   2 int32     the same for each half of 16
"""

import numpy as np

RECORD = np.dtype(
    [("codes", "i1", (32,)), ("scale", "<f4"), ("scaled_sum", "<f4"), ("offset", "<i4"), ("half_offsets", "<i4", (2,))]
)
RECORD_BYTES = RECORD.itemsize

_PLACES = dict(RECORD.fields or {})
SCALE_AT, SCALED_SUM_AT, OFFSETS_AT = (_PLACES[name][1] for name in ("scale", "scaled_sum", "offset"))
