"""Joins: native and in pandas they can't be told apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_dask.ops import counters
from stratum_dask.ops.frames import FusedFrame
from stratum_dask.ops.steps import Ref
from tests.ops.generate import DTYPES, indexes, values_of
from tests.ops.oracle import check, observe, step
from tests.ops.test_rows import check_layout

WORDS = st.sampled_from(["a", "b", "c", "", "longer than seven", "é"])
KEY_DTYPES = st.sampled_from(["str", "str", "str", "int64", "int64", "int8", "float64", "bool"])


@st.composite
def keys(draw: st.DrawFn, dtype: str, length: int, unique: bool) -> pd.Series:
    if dtype == "str":
        words = st.one_of(WORDS, WORDS, st.none()) if draw(st.booleans()) else WORDS
        values: Any = draw(st.lists(words, min_size=length, max_size=length))
        series = pd.Series(values, dtype="str")
        cut = draw(st.integers(0, length))
        series = pd.concat([series.iloc[cut:], series.iloc[:cut]], ignore_index=True)
    else:
        items: Any = {
            "float64": st.sampled_from([0.0, -0.0, 1.5, float("nan")]),
            "bool": st.booleans(),
        }.get(dtype, st.one_of(st.integers(0, 4), st.integers(-128, 127)))
        values = draw(st.lists(items, min_size=length, max_size=length))
        series = pd.Series(values, dtype=dtype)
    return series.drop_duplicates(ignore_index=True) if unique else series


@st.composite
def tables(draw: st.DrawFn) -> tuple[pd.DataFrame, pd.DataFrame]:
    first, second = draw(KEY_DTYPES), draw(KEY_DTYPES)
    both = []
    for names in (["x", "v"], ["y", "v"]):
        length = draw(st.sampled_from([0, 1, 2, 5, 9, 9, 20]))
        key = draw(keys(first, length, draw(st.booleans())))
        length = len(key)
        frame = pd.DataFrame({"k": key})
        if draw(st.integers(0, 9)) == 0:
            frame["k"] = frame["k"].astype(object)
        frame["l"] = draw(keys(second, length, False)) if length else pd.Series(dtype=second)
        for name in names:
            frame[name] = draw(values_of(draw(st.sampled_from(DTYPES)), length))
        frame["w" + names[0]] = pd.Series(
            draw(st.lists(st.one_of(WORDS, st.none()), min_size=length, max_size=length)),
            dtype="str",
        )
        frame["d" + names[0]] = pd.to_datetime(np.arange(length), unit="D")
        if draw(st.booleans()):
            frame = frame.sort_values("k", ignore_index=True)
        frame = frame.copy()  # how columns lie in blocks depends on history, copies don't keep it
        frame.index = draw(indexes(length))
        if draw(st.integers(0, 9)) == 0:
            frame.columns = frame.columns.astype(object)
        both.append(frame)
    return both[0], both[1]


OPTIONS = st.fixed_dictionaries(
    {"how": st.sampled_from(["left", "left", "inner", "inner", "right", "outer"])},
    optional={
        "sort": st.booleans(),
        "suffixes": st.sampled_from([("_l", "_r"), (None, "_r"), ("", ""), ("_l", "_l")]),
        "validate": st.sampled_from(["m:1", "one_to_one"]),
        "indicator": st.booleans(),
    },
)
ON: Any = st.sampled_from(
    [
        {"on": "k"},
        {"on": "k"},
        {"on": "k"},
        {"on": ["k"]},
        {"on": ["k", "l"]},
        {"on": ["l", "k"]},
        {"left_on": "k", "right_on": "l"},
        {"left_on": ["k", "l"], "right_on": ["l", "k"]},
        {"left_on": "k", "right_index": True},
        {"on": "no"},
        {},
    ]
)
SELECTIONS = st.sampled_from(
    [None, None, ["x", "y"], ["y"], ["k", "wy"], ["v_x", "wx"], ["v_r"], "wy", "k", ["dy", "x"]]
)


@given(tables(), ON, OPTIONS, SELECTIONS, st.sampled_from([".merge", "pandas.merge"]))
def test_merge(both, on, options, selection, op):
    steps = [step(op, Ref(0), Ref(1), **on, **options)]
    if selection is not None:
        steps.append(step("operator.getitem", Ref(2), selection))
    check_layout(steps, list(both))


@given(tables(), st.sampled_from(["left", "inner"]))
def test_overlapping_and_odd_labels(both, how):
    left, right = both
    right = right.rename(columns={"y": "x"})
    check_layout([step(".merge", Ref(0), Ref(1), on="k", how=how)], [left, right])
    right.columns = ["k", "l", "x", "x", "y", "z"]
    check_layout([step(".merge", Ref(0), Ref(1), on="k", how=how)], [left, right])
    left.columns = [0, 1, 2, 3, 4, 5]
    right.columns = [0, 6, 7, 8, 9, 10]
    check_layout([step(".merge", Ref(0), Ref(1), on=0, how=how)], [left, right])


@pytest.mark.parametrize("how", ["left", "inner"])
@pytest.mark.parametrize("on", ["text", "number", ["text", "number"]])
@pytest.mark.parametrize("unique", [True, False])
def test_it_really_runs_natively(how, on, unique):
    rng = np.random.default_rng(0)
    numbers = rng.integers(0, 60, 1000)
    left = pd.DataFrame({"number": numbers, "x": rng.normal(size=1000)})
    left["text"] = left["number"].astype("str").str.repeat(4)
    left.loc[::9, "text"] = np.nan
    right = pd.DataFrame({"number": rng.permutation(50), "y": np.arange(50)})
    right["text"] = right["number"].astype("str").str.repeat(4)
    if not unique:
        right = pd.concat([right, right.iloc[:20]])
    counters.reset()
    check_layout([step(".merge", Ref(0), Ref(1), on=on, how=how)], [left, right])
    assert counters.snapshot().fallbacks == {}


def test_dtypes_that_equal_others_are_left_to_pandas():
    frame = pd.DataFrame(
        {"k": np.array([1, 2], dtype="uint8"), "v": np.array([3, 4], dtype="int8")}
    )
    steps = [
        step(".replace", Ref(0), 1, 1e10),
        step(".merge", Ref(1), Ref(1), on="k", how="left"),
    ]
    assert observe(lambda: FusedFrame(tuple(steps[:1]), 1)(frame)).value["k"].dtype.char == "Q"
    check(steps, [frame])
