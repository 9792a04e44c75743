"""Elementwise nodes against NumPy and pandas, bit by bit, for every opcode and dtype."""

import operator

import numpy as np
import pandas as pd
import pytest

from stratum_dask import _native
from tests.native.programs import (
    BAD_CAST,
    DIVIDE,
    DTYPES,
    FLOATS,
    INTEGER_DIVISION,
    INTEGERS,
    INVALID,
    NEGATIVE_POWER,
    NUMBERS,
    OVERFLOW,
    ROWS,
    SIGNED,
    UNDERFLOW,
    run,
    same,
    values,
)


def binary(opcode, dtype, operand, inputs, kinds, rows):
    """One node over two operands, each a column or (if its kind is a scalar) its first value."""
    nodes, columns = [], []
    for data, kind in zip(inputs, kinds, strict=True):
        if kind == "column":
            nodes.append(("input", operand, len(columns)))
            columns.append(data)
        else:
            nodes.append(("const", operand, data[0].item()))
    nodes.append((*opcode, 0, 1) if isinstance(opcode, tuple) else (opcode, dtype, 0, 1))
    [out], _, flags = run(nodes, [2], columns, [dtype], rows)
    return out, flags.get(2, 0)


SHAPES = [("column", "column"), ("column", "scalar"), ("scalar", "column")]


def broadcast(inputs, kinds):
    return [x if kind == "column" else x[0] for x, kind in zip(inputs, kinds, strict=True)]


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("dtype", NUMBERS)
@pytest.mark.parametrize("opcode", ["add", "sub", "mul", "truediv", "floordiv", "mod"])
def test_arithmetic(opcode, dtype, shapes):
    if opcode == "truediv" and dtype not in FLOATS:
        with pytest.raises(ValueError, match=f"not supported for {dtype}"):
            binary(opcode, dtype, dtype, [np.ones(1, DTYPES[dtype])] * 2, shapes, 1)
        return
    function = getattr(operator, opcode)
    for rows in ROWS[1:]:
        inputs = [values(dtype, rows, seed) for seed in (1, 2)]
        out, _ = binary(opcode, dtype, dtype, inputs, shapes, rows)
        with np.errstate(all="ignore"):
            same(out, function(*broadcast(inputs, shapes)))


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("opcode", ["eq", "ne", "lt", "le", "gt", "ge"])
def test_comparison(opcode, dtype, shapes):
    for rows in ROWS[1:]:
        inputs = [values(dtype, rows, seed) for seed in (1, 2)]
        inputs[1][::3] = inputs[0][::3]
        out, flags = binary(opcode, "bool", dtype, inputs, shapes, rows)
        same(out, getattr(operator, opcode)(*broadcast(inputs, shapes)))
        assert flags == 0


@pytest.mark.parametrize("shapes", SHAPES)
@pytest.mark.parametrize("dtype", [*INTEGERS, "bool"])
@pytest.mark.parametrize("opcode", ["and", "or", "xor"])
def test_logic(opcode, dtype, shapes):
    function = {"and": operator.and_, "or": operator.or_, "xor": operator.xor}[opcode]
    for rows in ROWS[1:]:
        inputs = [values(dtype, rows, seed) for seed in (1, 2)]
        out, _ = binary(opcode, dtype, dtype, inputs, shapes, rows)
        same(out, function(*broadcast(inputs, shapes)))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("opcode", ["neg", "abs", "not", "rint", "sqrt"])
def test_unary(opcode, dtype):
    function = {
        "neg": np.negative,
        "abs": np.abs,
        "not": np.invert,
        "rint": np.rint,
        "sqrt": np.sqrt,
    }[opcode]
    kinds = {"neg": "iuf", "abs": "iuf", "not": "iub", "rint": "f", "sqrt": "f"}[opcode]
    nodes = [("input", dtype, 0), (opcode, dtype, 0)]
    if np.dtype(DTYPES[dtype]).kind not in kinds:
        with pytest.raises(ValueError, match="not supported"):
            _native.Program(nodes, [1])
        return
    for rows in ROWS:
        data = values(dtype, rows)
        [out], _, _ = run(nodes, [1], [data], [dtype], rows)
        with np.errstate(all="ignore"):
            same(out, function(data))


@pytest.mark.parametrize("target", DTYPES)
@pytest.mark.parametrize("source", DTYPES)
def test_cast(source, target):
    for rows in ROWS:
        data = values(source, rows, special=False)
        if source in FLOATS and target in INTEGERS:
            data = np.clip(data, 0, 120)
        [out], _, flags = run(
            [("input", source, 0), ("cast", target, 0)], [1], [data], [target], rows
        )
        with np.errstate(all="ignore"):
            same(out, data.astype(DTYPES[target]))
        assert not flags.get(1, 0) & BAD_CAST


@pytest.mark.parametrize("target", INTEGERS)
@pytest.mark.parametrize("source", FLOATS)
def test_casts_that_lose_the_value_are_flagged(source, target):
    info = np.iinfo(INTEGERS[target])
    bad = [np.nan, np.inf, -np.inf, float(info.max) * 2 + 2, float(info.min) * 2 - 2]
    good = [0.0, -0.0, 0.9, -0.9, float(info.min), float(info.max // 2)]
    for value in bad + good:
        data = np.array([1.0, value, 2.0], FLOATS[source])
        nodes = [("input", source, 0), ("cast", target, 0)]
        [out], _, flags = run(nodes, [1], [data], [target], 3)
        assert bool(flags.get(1, 0) & BAD_CAST) == (value in bad or value != value)
        if not flags:
            same(out, data.astype(INTEGERS[target]))


@pytest.mark.parametrize("dtype", DTYPES)
def test_select(dtype):
    for rows in ROWS[1:]:
        condition = values("bool", rows, 3)
        a, b = values(dtype, rows, 1), values(dtype, rows, 2)
        for kinds in [*SHAPES, ("scalar", "scalar")]:
            nodes, columns = [("input", "bool", 0)], [condition]
            for data, kind in zip((a, b), kinds, strict=True):
                if kind == "column":
                    nodes.append(("input", dtype, len(columns)))
                    columns.append(data)
                else:
                    nodes.append(("const", dtype, data[0].item()))
            nodes.append(("select", dtype, 0, 1, 2))
            [out], _, _ = run(nodes, [3], columns, [dtype], rows)
            same(out, np.where(condition, *broadcast((a, b), kinds)))
        nodes = [("const", "bool", True), ("input", dtype, 0), ("input", dtype, 1)]
        [out], _, _ = run([*nodes, ("select", dtype, 0, 1, 2)], [3], [a, b], [dtype], rows)
        same(out, a)


@pytest.mark.parametrize("dtype", FLOATS)
def test_isnan(dtype):
    for rows in ROWS:
        data = values(dtype, rows)
        [out], _, _ = run([("input", dtype, 0), ("isnan", "bool", 0)], [1], [data], ["bool"], rows)
        same(out, np.isnan(data))


def with_flags(function, *args):
    """The result of a NumPy function, and the exceptions that it reports."""
    names = {
        "divide by zero": DIVIDE,
        "overflow": OVERFLOW,
        "underflow": UNDERFLOW,
        "invalid value": INVALID,
    }
    reported = []
    with np.errstate(all="call", call=lambda kind, _: reported.append(names[kind])):
        result = function(*args)
    return result, sum(reported)


@pytest.mark.parametrize(("name", "dtype"), _native.ufunc_loops())
def test_ufunc(name, dtype):
    function = getattr(np, name)
    for rows in ROWS[1:]:
        inputs = [values(dtype, rows, seed) for seed in (1, 2)][: function.nin]
        kinds = SHAPES if function.nin == 2 else [("column",)]
        for shapes in kinds:
            columns = [data for data, kind in zip(inputs, shapes, strict=True) if kind == "column"]
            nodes, seen = [], 0
            for data, kind in zip(inputs, shapes, strict=True):
                if kind == "column":
                    nodes.append(("input", dtype, seen))
                    seen += 1
                else:
                    nodes.append(("const", dtype, data[0].item()))
            nodes.append(("ufunc", dtype, name, *range(function.nin)))
            [out], _, flags = run(nodes, [function.nin], columns, [dtype], rows)
            expected, reported = with_flags(function, *broadcast(inputs, shapes))
            same(out, expected)
            assert flags.get(function.nin, 0) == reported


@pytest.mark.parametrize("others", [0.0, 0.02, 0.4, 0.7])
@pytest.mark.parametrize(
    ("name", "dtype"), [one for one in _native.ufunc_loops() if getattr(np, one[0]).nin == 1]
)
def test_ufunc_of_whole_numbers(name, dtype, others):
    function = getattr(np, name)
    rng = np.random.default_rng(7)
    whole = rng.integers(0, 9_000, 5_000).astype(np.float64)
    odd = rng.choice([-0.0, np.nan, np.inf, -np.inf, -1.0, 0.5, 8192.0, 1e300, 5e-324], 5_000)
    with np.errstate(over="ignore", under="ignore"):
        data = np.where(rng.random(5_000) < others, odd, whole).astype(FLOATS[dtype])
    nodes = [("input", dtype, 0), ("ufunc", dtype, name, 0)]
    [out], _, flags = run(nodes, [1], [data], [dtype], len(data))
    expected, reported = with_flags(function, data)
    same(out, expected)
    assert flags.get(1, 0) == reported


@pytest.mark.parametrize("dtype", INTEGERS)
def test_integer_power(dtype):
    for rows in ROWS[1:]:
        base, exponent = values(dtype, rows, 1), np.abs(values(dtype, rows, 2) // 2)
        nodes = [("input", dtype, 0), ("input", dtype, 1), ("ufunc", dtype, "power", 0, 1)]
        [out], _, flags = run(nodes, [2], [base, exponent], [dtype], rows)
        same(out, base**exponent)
        assert not flags
    if dtype in SIGNED:
        data = np.array([2, -1], INTEGERS[dtype])
        assert run(nodes, [2], [data, data], [dtype], 2)[2] == {2: NEGATIVE_POWER}


def test_flags_are_those_of_numpy():
    x = np.array([1.0, -1.0, 0.0, 1e308, 1e-308, np.inf])
    cases = {
        "add": [1e308, 0, 0, 1e308, 0, 0],
        "mul": [1, 1, 1, 10, 1e-10, 0],
        "truediv": [0, 0, 0, 1, 1e10, np.inf],
        "sub": [0, 0, 0, 0, 0, np.inf],
    }
    for opcode, other in cases.items():
        y = np.array(other, float)
        for row in range(len(x)):
            a, b = x[row : row + 1], y[row : row + 1]
            _, reported = with_flags(getattr(operator, opcode), a, b)
            nodes = [("input", "f64", 0), ("input", "f64", 1), (opcode, "f64", 0, 1)]
            assert run(nodes, [2], [a, b], ["f64"], 1)[2].get(2, 0) == reported


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("opcode", ["floordiv", "mod"])
def test_integer_division_flags(opcode, dtype):
    nodes = [("input", dtype, 0), ("input", dtype, 1), (opcode, dtype, 0, 1)]
    a = np.array([5, 7, 1], INTEGERS[dtype])
    b = np.array([1, 0, 2], INTEGERS[dtype])
    assert run(nodes, [2], [a, b], [dtype], 3)[2] == {2: INTEGER_DIVISION}
    assert run(nodes, [2], [b, a], [dtype], 3)[2] == {}
    if dtype in SIGNED:
        info = np.iinfo(INTEGERS[dtype])
        a[1], b[1] = info.min, -1
        expected = {2: OVERFLOW} if opcode == "floordiv" else {}
        assert run(nodes, [2], [a, b], [dtype], 3)[2] == expected


@pytest.mark.parametrize("size", [0, 1, 5, 8, 9, 500])
@pytest.mark.parametrize("dtype", DTYPES)
def test_isin(dtype, size):
    for rows in ROWS:
        data = values(dtype, rows, 1)
        table = np.concatenate([values(dtype, size, 2), data[: size // 2]])[:size]
        nodes = [("input", dtype, 0), ("isin", "bool", 0, table)]
        [out], _, _ = run(nodes, [1], [data], ["bool"], rows)
        same(out, pd.Series(data).isin(table).to_numpy())


@pytest.mark.parametrize("size", [0, 3, 300])
@pytest.mark.parametrize("dtype", ["f64", "f32", "i64", "i8", "u64"])
def test_lookup(dtype, size):
    for rows in ROWS:
        data = values(dtype, rows, 1)
        keys = values(dtype, size, 1)
        mapping = {key: float(i) for i, key in enumerate(keys.tolist())}
        keys = np.array(list(mapping), DTYPES[dtype])
        results = np.array(list(mapping.values()))
        nodes = [("input", dtype, 0), ("lookup", "f64", 0, keys, results, np.nan)]
        [out], _, _ = run(nodes, [1], [data], ["f64"], rows)
        position = pd.Index(keys).drop_duplicates().get_indexer(pd.Index(data))
        firsts = pd.Series(results).groupby(pd.Series(keys), dropna=False, sort=False).first()
        table = np.append(firsts.to_numpy(), np.nan)
        same(out, table[position])
