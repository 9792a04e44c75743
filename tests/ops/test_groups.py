"""Groups: native and in pandas they can't be told apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_dask.ops import counters
from stratum_dask.ops.direct import dictionary
from stratum_dask.ops.direct.keys import encode
from stratum_dask.ops.steps import Ref, Step
from tests.ops.generate import DTYPES, indexes, values_of
from tests.ops.oracle import check, step

pytestmark = pytest.mark.usefixtures("few_rows_too")


REDUCTIONS = ["mean", "sum", "min", "max", "median", "std", "var", "first", "last"]
COUNTS = ["count", "size", "nunique"]
OTHERS = ["cumsum", "cummax", "cumcount", "shift", "diff", "rank", "ngroup", "prod", "idxmax"]
WORDS = st.sampled_from(["a", "b", "", "longer than seven", "longer than eight", "é", None])


@st.composite
def keys(draw: st.DrawFn, length: int) -> Any:
    kind = draw(st.sampled_from(["text", "text", "int", "int8", "bool", "category", "float"]))
    if kind in ("text", "category"):
        words = st.lists(WORDS, min_size=length, max_size=length)
        series = pd.Series(draw(words), dtype="str")
        if kind == "category":
            return series.astype("category")
        cut = draw(st.integers(0, length))
        if draw(st.booleans()):  # chunks
            series = pd.concat([series.iloc[cut:], series.iloc[:cut]], ignore_index=True)
        return series
    if kind == "float":
        items: Any = st.sampled_from([0.0, -0.0, 1.5, float("nan")])
        return pd.Series(draw(st.lists(items, min_size=length, max_size=length)), dtype="float64")
    if kind == "bool":
        return pd.Series(
            draw(st.lists(st.booleans(), min_size=length, max_size=length)), dtype=bool
        )
    items = st.one_of(st.integers(-2, 2), st.integers(-128, 127))
    return pd.Series(draw(st.lists(items, min_size=length, max_size=length)), dtype=kind + "64"
                     if kind == "int" else kind)  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Two keys, and values of several dtypes."""
    length = draw(st.sampled_from([0, 1, 2, 6, 6, 12, 30]))
    parts: dict[str, Any] = {"k": draw(keys(length)), "l": draw(keys(length))}
    for name in ("x", "y"):
        parts[name] = draw(values_of(draw(st.sampled_from(DTYPES)), length))
    parts["z"] = draw(values_of("float64", length))
    frame = pd.DataFrame(parts)
    if draw(st.booleans()):
        frame = frame.sort_values("k", kind="stable", ignore_index=True)
    start = draw(st.integers(0, 2))
    frame = frame.iloc[start:].copy(deep=False)
    frame.index = draw(indexes(len(frame)))
    return frame


BY = st.sampled_from(["k", "k", ["k"], ["k", "l"], ["l", "k"]])
GROUPBY = st.fixed_dictionaries(
    {},
    optional={
        "sort": st.booleans(),
        "as_index": st.booleans(),
        "observed": st.booleans(),
        "dropna": st.booleans(),
    },
)


def grouped(by: Any, column: Any = None, **options: Any) -> list[Step]:
    steps = [step(".groupby", Ref(0), by, **options)]
    if column is not None:
        steps.append(step("operator.getitem", Ref(1), column))
    return steps


def last(steps: list[Step]) -> Ref:
    return Ref(len(steps))


@given(tables(), BY, GROUPBY, st.sampled_from(["x", "z", "k"]),
       st.sampled_from(REDUCTIONS + COUNTS + OTHERS))  # fmt: skip
def test_transform_of_a_column(frame, by, options, column, how):
    steps = grouped(by, column, **options)
    check([*steps, step(".transform", last(steps), how)], [frame])


@given(tables(), BY, GROUPBY, st.sampled_from(["x", "z", ["x", "z"], ["z"], None]),
       st.sampled_from(REDUCTIONS + COUNTS + OTHERS))  # fmt: skip
def test_methods(frame, by, options, column, how):
    steps = grouped(by, column, **options)
    check([*steps, step(f".{how}", last(steps))], [frame])


AGGREGATIONS = st.sampled_from(
    [
        ("z", ["mean", "std"], {}),
        ("z", "median", {}),
        ("z", None, {"low": "min", "high": "max"}),
        (["x", "z"], "sum", {}),
        (None, {"x": "sum", "z": ["mean", "count"]}, {}),
        (None, None, {"low": ("x", "min"), "some": pd.NamedAgg("z", "first")}),
        ("z", "no such method", {}),
        ("z", [], {}),
    ]
)


@given(tables(), BY, GROUPBY, AGGREGATIONS)
def test_aggregations(frame, by, options, aggregation):
    column, functions, named = aggregation
    steps = grouped(by, column, **options)
    arguments = () if functions is None else (functions,)
    check([*steps, step(".agg", last(steps), *arguments, **named)], [frame])


@given(tables(), BY, st.sampled_from(REDUCTIONS + COUNTS))
def test_transform_of_columns(frame, by, how):
    steps = grouped(by, ["x", "z"])
    check([*steps, step(".transform", last(steps), how)], [frame])


@given(tables(), st.integers(-2, 2), st.integers(-1, 3))
def test_arguments(frame, periods, number):
    steps = grouped("k", "z")
    check([*steps, step(".shift", last(steps), periods)], [frame])
    check([*steps, step(".std", last(steps), ddof=number)], [frame])
    check([*steps, step(".sum", last(steps), min_count=number)], [frame])
    check([*steps, step(".transform", last(steps), "sum", min_count=number)], [frame])
    check([*steps, step(".mean", last(steps), skipna=number > 0)], [frame])
    check([*steps, step(".mean", last(steps), numeric_only=True)], [frame])


@given(tables(), st.sampled_from(["mean", "sum"]))
def test_keys_that_are_no_columns(frame, how):
    index = frame.index
    for by in (frame["k"], frame["k"].to_numpy()):
        steps = [step(".groupby", Ref(0), Ref(1)), step(".transform", Ref(2), how)]
        check(steps, [frame["z"], by])
    by = frame["k"].set_axis(index[::-1]) if index.is_unique else frame["k"]
    check([step(".groupby", Ref(0), Ref(1)), step(f".{how}", Ref(2))], [frame["z"], by])
    check([step(".groupby", Ref(0), level=0), step(f".{how}", Ref(1))], [frame["z"]])


def test_duplicate_columns_and_missing_labels():
    frame = pd.DataFrame([[1, 2.0, 3.0], [1, 4.0, 5.0]], columns=["k", "x", "x"])
    for by, column in (("k", "x"), ("x", "k"), ("no", "x"), ("k", "no")):
        steps = grouped(by, column)
        check([*steps, step(".transform", last(steps), "mean")], [frame])


def test_functions_of_the_user_run_once():
    calls = []

    def noisy(group: pd.Series) -> float:
        calls.append(group.name)
        return float(group.sum())

    frame = pd.DataFrame({"k": ["a", "b", "a"], "x": [1.0, 2.0, 3.0]})
    steps = grouped("k", "x")
    check([*steps, step(".agg", last(steps), noisy)], [frame])
    assert len(calls) == 2 * 3


@pytest.mark.parametrize("how", REDUCTIONS + COUNTS)
@pytest.mark.parametrize("by", ["text", "int", ["text", "int"]])
def test_it_really_runs_natively(how, by):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"x": rng.normal(size=1000), "int": rng.integers(0, 9, 1000)})
    frame["text"] = frame["int"].astype("str").str.repeat(4)
    frame.loc[::7, "text"] = np.nan
    frame.loc[::5, "x"] = np.nan
    steps = grouped(by, "x")
    counters.reset()
    check([*steps, step(".transform", last(steps), how)], [frame])
    check([*steps, step(f".{how}", last(steps))], [frame])
    assert counters.snapshot().fallbacks == {}
    assert counters.snapshot().hits[".transform"] == 2


def test_groups_joins_and_strings_share_one_dictionary():
    series = pd.Series(["one", "two", None, "one"] * 600, dtype="str")
    found = dictionary.dictionary_of(series)
    codes, firsts = encode(series.array)
    assert codes is found.positions
    assert codes[:4].tolist() == [0, 1, -1, 0]
    assert firsts.tolist() == [0, 1]
    again = series.copy(deep=False).array  # pandas 3.0 makes another of Arrow's arrays
    assert encode(again).codes is codes or again._pa_array is not series.array._pa_array
    changed = series.copy()
    changed[0] = "three"
    assert encode(changed.array).firsts.tolist() == [0, 1, 3]


def test_nothing_is_left_on_the_users_groups():
    frame = pd.DataFrame({"k": ["b", "a", "b"], "x": [1.0, 2.0, 3.0]})
    groups = frame.groupby("k")
    check([step("operator.getitem", Ref(0), "x"), step(".transform", Ref(1), "mean")], [groups])
    assert type(groups._grouper).__name__ == "BaseGrouper"
    assert groups["x"].mean().index.tolist() == ["a", "b"]
