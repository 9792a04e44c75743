"""Rows of several tables: native and in pandas they can't be told apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_dask.ops import counters
from stratum_dask.ops.direct.concat import concatenate
from stratum_dask.ops.frames import FusedFrame
from stratum_dask.ops.steps import Ref
from tests.ops.generate import DTYPES, frames, indexes, values_of
from tests.ops.operands import FOREIGN, foreign
from tests.ops.oracle import (
    assert_same,
    assert_same_outcome,
    check,
    copies,
    in_pandas,
    is_readable,
    observe,
    step,
)

pytestmark = pytest.mark.usefixtures("few_rows_too")

OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "axis": st.sampled_from([0, 0, "index", 1]),
        "ignore_index": st.booleans(),
        "join": st.sampled_from(["inner", "outer", "other"]),
        "sort": st.booleans(),
        "keys": st.just(["train", "test", "more"]),
        "verify_integrity": st.booleans(),
    },
)


@st.composite
def parts_of_one_table(draw: st.DrawFn) -> list[pd.DataFrame]:
    """Frames of the same columns, mostly: slices, picked rows and copies of one, other columns."""
    whole = draw(frames())
    parts = []
    for _ in range(draw(st.integers(1, 3))):
        start, stop = draw(st.integers(0, 9)), draw(st.integers(0, 18))
        part = whole.iloc[start:stop]
        kind = draw(st.sampled_from(["slice", "slice", "copy", "copy", "reversed", "set", "drop"]))
        if kind == "copy":
            part = part.copy()
        elif kind == "reversed":
            part = part[::-1]
        elif kind == "set" and part.columns.is_unique:
            column = part.columns[draw(st.integers(0, part.shape[1] - 1))]
            dtype = draw(st.sampled_from(DTYPES))
            part = part.assign(**{column: draw(values_of(dtype, len(part)))})
        elif kind == "drop":
            part = part.drop(columns=part.columns[draw(st.integers(0, part.shape[1] - 1))])
        parts.append(part)
    return parts


def check_concat(parts: list[Any], **options: Any) -> None:
    call = step("pandas.concat", [Ref(number) for number in range(len(parts))], **options)
    keys = options.get("keys")
    if keys is not None:
        call = call._replace(kwargs={**call.kwargs, "keys": keys[: len(parts)]})
    before = copies(parts)
    # On the tables themselves: copies would lie otherwise, and have columns of their own.
    expected = observe(lambda: in_pandas([call], parts))
    if not is_readable(expected.value):
        return
    actual = observe(lambda: FusedFrame((call,), len(parts))(*parts))
    assert_same_outcome(actual, expected)
    if isinstance(expected.value, pd.DataFrame):
        for one, other in zip(actual.value._mgr.blocks, expected.value._mgr.blocks, strict=True):
            if isinstance(other.values, np.ndarray):
                assert one.values.strides == other.values.strides
    for part, copy in zip(parts, before, strict=True):
        assert_same(part, copy, memory=False)


@given(parts_of_one_table(), OPTIONS)
def test_frames(parts, options):
    check_concat(parts, **options)


@given(st.lists(frames(), min_size=1, max_size=3), OPTIONS)
def test_frames_that_have_little_in_common(parts, options):
    check_concat(parts, **options)


@given(st.data(), OPTIONS)
def test_columns(data, options):
    parts = []
    for _ in range(data.draw(st.integers(1, 3))):
        length = data.draw(st.sampled_from([0, 1, 5]))
        values = data.draw(values_of(data.draw(st.sampled_from(["float64", *DTYPES])), length))
        name = data.draw(st.sampled_from(["x", "x", None]))
        parts.append(pd.Series(values, index=data.draw(indexes(length)), name=name))
    check_concat(parts, **options)


@pytest.mark.parametrize("kind", FOREIGN)
def test_other_dtypes(kind):
    for first, second in [(0, 3), (2, 0), (5, 4), (1, 1)]:
        parts = [
            pd.DataFrame({"a": 1.5, "b": pd.Series(foreign(kind, length)), "c": 2})
            for length in (first, second)
        ]
        check_concat(parts)
        check_concat([part["b"] for part in parts], ignore_index=True)
        check_concat([parts[0], parts[1].drop(columns="b")])
        parts[1]["b"] = 1
        check_concat(parts)


def test_what_is_no_table_is_left_to_pandas():
    frame = pd.DataFrame({"a": [1.0]})
    for tables in ([], [None], [frame, None], [frame, 1], [frame, frame["a"]], (frame, frame)):
        call = step("pandas.concat", type(tables)([*tables]))
        check([call], [])
    frame.attrs["from"] = "here"
    check_concat([frame, frame])


def _same(arrays: list[np.ndarray], axis: int) -> None:
    expected, actual = np.concatenate(arrays, axis=axis), concatenate(arrays, axis=axis)
    assert actual.dtype == expected.dtype
    assert actual.strides == expected.strides
    np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("dtype", ["f8", "f4", "i8", "u1", "?", "M8[us]", "m8[ns]", "O", ">f8"])
@pytest.mark.parametrize("axis", [0, 1])
def test_memory_lies_as_in_numpy(dtype, axis):
    values = np.arange(60).reshape(5, 12)
    shapes = [values, values.T, values[::2], values[:, ::2], values[:, ::-1], values[:1]]
    shapes += [values[:, :1], values[:0], values[:, :0], np.asfortranarray(values)]
    shapes = [one.astype(dtype, order="K") for one in shapes]
    for first in shapes:
        for second in shapes:
            if first.shape[1 - axis] == second.shape[1 - axis]:
                _same([first, second], axis)
                _same([first, second, first], axis)
    _same([values[0], values[1, ::2], values[:0, 0]], 0)


@pytest.mark.parametrize("kind", ["apart", "block", "rows", "mixed", "views"])
def test_long_frames_run_natively(kind):
    rng = np.random.default_rng(0)
    table = rng.normal(size=(60_000, 4))
    frame = pd.DataFrame(table if kind == "rows" else np.asfortranarray(table), copy=False)
    frame.columns = [*"abcd"]
    if kind == "apart":
        frame = pd.DataFrame({name: frame[name].to_numpy() for name in frame})
    elif kind == "mixed":
        frame["b"] = rng.integers(0, 9, 60_000)
        frame["d"] = pd.date_range("2024-01-01", periods=60_000, freq="min")
        frame["e"] = frame["b"] > 3
        frame["f"] = frame["b"].astype("str")
    parts = [frame.iloc[:40_000], frame.iloc[40_000:]]
    if kind != "views":
        parts = [part.copy() for part in parts]
    counters.reset()
    for options in ({}, {"ignore_index": True}):
        check_concat(parts, **options)
    check_concat([parts[0], parts[1].drop(columns="a")])
    found = counters.snapshot()
    assert found.hits.keys() == {"pandas.concat"}
    assert not found.fallbacks


@pytest.mark.parametrize("turned", [np.asarray, np.asfortranarray])
@pytest.mark.parametrize("rows", [slice(None), slice(None, None, -1), slice(None, None, 2)])
@pytest.mark.parametrize("columns", [slice(None), slice(None, None, -1), slice(None, None, 2)])
@pytest.mark.parametrize("axis", [0, 1])
def test_views_go_together_in_numpys_order(turned, rows, columns, axis):
    part = turned(np.arange(24.0).reshape(4, 6))[rows, columns]
    found, expected = concatenate([part, part], axis), np.concatenate([part, part], axis)
    assert_same(found, expected)
    assert found.strides == expected.strides
