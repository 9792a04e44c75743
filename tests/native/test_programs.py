"""Programs of several phases against pandas, and what is refused."""

import threading

import numpy as np
import pandas as pd
import pytest

from stratum_dask import _native
from tests.native.programs import (
    LONGEST_SUM,
    equal,
    run,
    same,
    values,
)


def standardised(columns, rows):
    """Nodes that fill, take the logarithm of, and standardise each column, and some more."""
    nodes = []

    def add(*node):
        nodes.append(node)
        return len(nodes) - 1

    outputs, scaled = [], []
    for k in range(columns):
        x = add("input", "f64", k)
        median = add("median", "f64", x)
        filled = add("select", "f64", add("isnan", "bool", x), median, x)
        logged = add("ufunc", "f64", "log1p", add("abs", "f64", filled))
        count = add("cast", "f64", add("count", "i64", logged))
        mean = add("truediv", "f64", add("sum", "f64", logged), count)
        centred = add("sub", "f64", logged, mean)
        deviation = add("sqrt", "f64", add("var", "f64", logged, 1))
        scaled.append(add("truediv", "f64", centred, deviation))
        outputs += [scaled[-1], logged, x]
    product = add("mul", "f64", scaled[0], scaled[-1])
    outputs += [product, add("gt", "bool", product, mean), add("median", "f64", product)]
    return nodes, [*outputs, outputs[0]]


def expected_standardised(columns):
    outputs, scaled = [], []
    for x in map(pd.Series, columns):
        logged = np.log1p(x.fillna(x.median()).abs())
        scaled.append((logged - logged.mean()) / logged.std())
        outputs += [scaled[-1], logged, x]
    product = scaled[0] * scaled[-1]
    outputs += [product, product > logged.mean(), outputs[0]]
    return [x.to_numpy() for x in outputs], product.median()


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("rows", [1, 2, 1000, min(30_000, LONGEST_SUM)])
def test_programs_of_several_phases(rows, threads):
    columns = [values("f64", rows, seed, special=False) for seed in range(3)]
    for column in columns:
        column[1::5] = np.nan
    nodes, outputs = standardised(3, rows)
    dtypes = ["f64"] * 10 + ["bool", "f64"]
    results, [median], _ = run(nodes, outputs, columns, dtypes, rows, threads)
    expected, expected_median = expected_standardised(columns)
    for ours, theirs in zip(results, expected, strict=True):
        same(ours, theirs)
    equal(median, expected_median)


def test_one_program_on_many_threads():
    rows = min(20_000, LONGEST_SUM)
    columns = [values("f64", rows, seed, special=False) for seed in range(2)]
    nodes, outputs = standardised(2, rows)
    program = _native.Program(nodes, outputs)
    dtypes = [float] * 7 + [bool, float]
    results = [[np.empty(rows, dtype) for dtype in dtypes] for _ in range(6)]
    threads = [
        threading.Thread(target=program.run, args=(columns, result, 2)) for result in results
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    expected, _ = expected_standardised(columns)
    for result in results:
        for ours, theirs in zip(result, expected, strict=True):
            same(ours, theirs)


X = ("input", "f64", 0)


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([("add", "f64", 0, 0)], "does not come before"),
        ([X, ("add", "f64", 0, 2), X], "does not come before"),
        ([X, ("add", "f32", 0, 0)], "operand 0 is f64, expected f32"),
        ([X, ("frobnicate", "f64", 0)], "no such opcode: frobnicate"),
        ([X, ("neg", "f16", 0)], "no such dtype: f16"),
        ([X, ("ufunc", "f64", "gamma", 0)], "no usable loop of gamma"),
        ([X, ("ufunc", "f64", "power", 0)], "takes 2 operands"),
        ([("const", "f64", 1.0), ("sum", "f64", 0)], "reduces a scalar"),
        ([X, ("sum", "f32", 0)], "no such reduction from f64 to f32"),
        ([X, ("input", "f32", 0)], "two dtypes"),
        ([X, ("isin", "bool", 0, np.array([1]))], "operand 0 is f64, expected i64"),
        ([X, ("isin", "bool", 0, [1.0])], "no array of numbers"),
        ([X, ("lookup", "f64", 0, np.ones(2), np.ones(3), 0.0)], "2 keys for 3 values"),
        ([("const", "u8", 256)], "node 0"),
        ([()], "node 0"),
    ],
)
def test_malformed_programs(nodes, message):
    with pytest.raises(ValueError, match=message):
        _native.Program(nodes, [len(nodes) - 1])


def test_output_that_is_no_node():
    with pytest.raises(ValueError, match="output 1 is not a node"):
        _native.Program([X], [1])


def test_arrays_that_do_not_fit():
    program = _native.Program([X, ("neg", "f64", 0)], [1])
    x, out = np.arange(4.0), np.full(4, 7.0)
    readonly = out.copy()
    readonly.flags.writeable = False
    unaligned = np.zeros(33, np.uint8)[1:].view(np.float64)
    cases = [
        ([x], [], "0 output columns, expected 1"),
        ([], [out], "0 inputs, expected 1"),
        ([x[:3]], [out], "has 4 rows, others have 3"),
        ([x.astype("f4")], [out], "input 0 is f32, expected f64"),
        ([x[::2]], [out[:2]], "contiguous"),
        ([x.reshape(2, 2)], [out], "one-dimensional"),
        ([x.astype(">f8")], [out], "dtype that programs don't know"),
        ([x.astype("M8[ns]")], [out], "no array of numbers"),
        ([x.astype(object)], [out], "dtype that programs don't know"),
        ([x], [readonly], "read-only"),
        ([x], [x], "shares memory"),
        ([x[:3]], [x[1:]], "shares memory"),
        ([unaligned], [out], "dtype that programs don't know"),
        (["text"], [out], "no array of numbers"),
    ]
    for inputs, outputs, message in cases:
        with pytest.raises(ValueError, match=message):
            program.run(inputs, outputs, 1)
    np.testing.assert_array_equal(out, 7.0)
    program.run([x], [out], 1)
    np.testing.assert_array_equal(out, -x)


def test_bytes_other_than_0_and_1_are_true():
    odd = np.array([0, 1, 2, 255], np.uint8).view(np.bool_)
    nodes = [
        ("input", "bool", 0),
        ("not", "bool", 0),
        ("cast", "i64", 0),
        ("and", "bool", 0, 0),
    ]
    columns, _, _ = run(nodes, [1, 2, 3], [odd], ["bool", "i64", "bool"], 4)
    assert [column.tolist() for column in columns] == [
        [True, False, False, False],
        [0, 1, 1, 1],
        [False, True, True, True],
    ]
