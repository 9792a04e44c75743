"""Reductions against pandas, bit by bit."""

import warnings

import numpy as np
import pandas as pd
import pytest

from tests.native.programs import (
    AMBIGUOUS_ZERO,
    EMPTY,
    FLOATS,
    INTEGERS,
    LONGEST_SUM,
    ROWS,
    UNSIGNED,
    equal,
    run,
    values,
)


def reduce(opcode, dtype, data, source=None, *more):
    nodes = [("input", source or dtype, 0), (opcode, dtype, 0, *more)]
    _, [scalar], flags = run(nodes, [1], [data], [], len(data))
    return scalar, flags.get(1, 0)


REDUCED = [*ROWS, 8191, 16385, 50_000]


def columns_to_reduce(dtype):
    for rows in REDUCED:
        if dtype in FLOATS and rows > LONGEST_SUM:
            continue
        yield values(dtype, rows, special=False)
        data = values(dtype, rows, special=False)
        if dtype in FLOATS:
            data[::3] = np.nan
            yield data
            yield np.full(rows, np.nan, FLOATS[dtype])
            yield np.full(rows, -0.0, FLOATS[dtype])
            yield np.round(values(dtype, rows, special=False)) + 0.0


@pytest.mark.parametrize("dtype", FLOATS)
def test_float_reductions(dtype):
    for data in columns_to_reduce(dtype):
        series = pd.Series(data)
        with np.errstate(all="ignore"):
            assert reduce("count", "i64", data, dtype)[0] == series.count()
            equal(reduce("sum", dtype, data)[0], series.sum())
            equal(reduce("median", dtype, data)[0], series.median())
            equal(reduce("min", dtype, data)[0], series.min())
            equal(reduce("max", dtype, data)[0], series.max())
            for ddof in (0, 1, 3):
                equal(reduce("var", dtype, data, None, ddof)[0], series.var(ddof=ddof))
        mode, flags = reduce("mode", dtype, data)
        assert bool(flags & EMPTY) == (series.count() == 0)
        if not flags:
            equal(mode, series.mode()[0])


@pytest.mark.parametrize("dtype", [*INTEGERS, "bool"])
def test_integer_reductions(dtype):
    wide = "u64" if dtype in UNSIGNED else "i64"
    for data in columns_to_reduce(dtype):
        series = pd.Series(data)
        assert reduce("count", "i64", data, dtype)[0] == len(data)
        assert reduce("sum", wide, data, dtype)[0] == series.sum()
        if dtype != "bool":
            equal(reduce("sum", "f64", data, dtype)[0], data.sum(dtype=np.float64))
        for opcode in ("min", "max", "mode"):
            ours, flags = reduce(opcode, dtype, data)
            if len(data) == 0:
                assert flags == EMPTY
            else:
                theirs = getattr(series, opcode)()
                assert ours == (theirs[0] if opcode == "mode" else theirs)


def test_f32_sum_in_f64():
    data = values("f32", 50_000, special=False)
    equal(reduce("sum", "f64", data, "f32")[0], data.sum(dtype=np.float64))


def test_reductions_with_infinities():
    for data in ([np.inf, -np.inf, 1.0], [np.inf, np.nan, 1.0], [-np.inf] * 10):
        series = pd.Series(np.array(data))
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for opcode in ("sum", "median", "min", "max", "var"):
                equal(reduce(opcode, "f64", series.to_numpy())[0], getattr(series, opcode)())


@pytest.mark.parametrize("opcode", ["min", "max", "median", "mode"])
def test_zeros_of_both_signs_are_flagged(opcode):
    sign = 1.0 if opcode == "min" else -1.0
    data = np.full(5000, sign)
    data[[10, 20]] = 0.0
    if opcode in ("median", "mode"):
        data[:3000] = 0.0
    assert reduce(opcode, "f64", data)[1] == 0
    data[4000] = -0.0
    assert reduce(opcode, "f64", data)[1] == AMBIGUOUS_ZERO
