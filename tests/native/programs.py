"""Data and comparisons for the tests of kernel programs."""

import numpy as np

from stratum_dask import _native
from stratum_dask.ops.frames.environment import adds_whole_columns

FLOATS = {"f64": np.float64, "f32": np.float32}
SIGNED = {"i64": np.int64, "i32": np.int32, "i16": np.int16, "i8": np.int8}
UNSIGNED = {"u64": np.uint64, "u32": np.uint32, "u16": np.uint16, "u8": np.uint8}
INTEGERS = SIGNED | UNSIGNED
NUMBERS = FLOATS | INTEGERS
DTYPES = NUMBERS | {"bool": np.bool_}
ROWS = [0, 1, 2, 7, 130, 2048, 2049, 9001]

# Longer columns are added by NumPy before 2.3 in another order.
LONGEST_SUM = 10**9 if adds_whole_columns() else 8192

DIVIDE, OVERFLOW, UNDERFLOW, INVALID = 1, 2, 4, 8
BAD_CAST, INTEGER_DIVISION, AMBIGUOUS_ZERO, NEGATIVE_POWER, EMPTY = 16, 32, 64, 128, 256


def values(name, rows, seed=0, special=True):
    rng = np.random.default_rng([seed, rows, len(name), ord(name[0])])
    if name == "bool":
        return rng.random(rows) < 0.5
    dtype = DTYPES[name]
    if name in FLOATS:
        data = (rng.normal(size=rows) * 10 ** rng.uniform(-3, 3, rows)).astype(dtype)
        if special and rows:
            odd = [np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -2.0]
            where = rng.random(rows) < 0.2
            data[where] = rng.choice(odd, where.sum())
        return data
    info = np.iinfo(dtype)
    data = rng.integers(info.min, info.max, rows, dtype=dtype, endpoint=True)
    small = rng.random(rows) < 0.5
    data[small] = rng.integers(max(info.min, -3), 4, small.sum())
    return data


def run(nodes, outputs, inputs, dtypes, rows, threads=1):
    """Run a program; returns its columns, scalars and flags."""
    columns = [np.empty(rows, DTYPES[dtype]) for dtype in dtypes]
    program = _native.Program(nodes, outputs)
    scalars, flags = program.run(inputs, columns, threads)
    return columns, scalars, dict(flags)


def same(ours, theirs):
    assert ours.dtype == theirs.dtype
    np.testing.assert_array_equal(ours, theirs)
    if ours.dtype.kind == "f":
        zero = ours == 0
        np.testing.assert_array_equal(np.signbit(ours[zero]), np.signbit(theirs[zero]))


def equal(ours, theirs):
    assert ours == theirs or (ours != ours and theirs != theirs)
    if theirs == 0:
        assert np.signbit(ours) == np.signbit(theirs)
