"""Random chains of up to twelve calls: programs, rows, groups, strings, dates, joins."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from stratum_dask.ops.direct import bins, dictionary, keys
from stratum_dask.ops.steps import Ref, Step, resolve
from tests.ops.generate import Pool, calls, values_of
from tests.ops.operands import STATES, check_under
from tests.ops.oracle import copies, is_readable, observe, step

WORDS = ["a", "B", " b ", "a-b", "longer than eight", "é", "12", "7.5", ""]
MOMENTS = ["2024-02-29 10:30:00", "2023-12-31 23:59:59", "2024-01-01 00:00:00"]
REDUCTIONS = ["mean", "sum", "count", "size", "min", "max", "std", "median", "nunique", "first"]


@pytest.fixture(autouse=True, scope="module")
def _small_columns():
    """Let native forms run on few rows too."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (bins, dictionary, keys):
            patch.setattr(module, "_LEAST", 1)
        yield


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """A table as one reads it: numbers, strings and moments, with missing values."""
    rows = draw(st.sampled_from([1, 6, 9, 20]))
    words = st.sampled_from(draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=4)))
    missing = st.none() if draw(st.booleans()) else st.nothing()

    def column(items: Any) -> list[Any]:
        return draw(st.lists(st.one_of(items, missing), min_size=rows, max_size=rows))

    frame = pd.DataFrame(
        {
            "x": draw(values_of("float64", rows)),
            "i": draw(values_of("int64", rows)),
            "y": draw(values_of("float64", rows)),
            "t": draw(values_of("bool", rows)),
            "s": pd.Series(column(words), dtype="str"),
            "u": pd.Series(column(words), dtype="str"),
            "d": pd.Series(column(st.sampled_from(MOMENTS)), dtype="str"),
        }
    )
    if draw(st.booleans()):
        frame.index = pd.Index(range(rows, 0, -1), name="row")
    return frame.copy() if draw(st.booleans()) else frame


@st.composite
def further_calls(draw: st.DrawFn, pool: Pool) -> list[Step]:
    """Calls that no program makes: one, or several of which only the last is of interest."""
    first = len(pool.values)
    frame = draw(st.sampled_from(pool.refs(pd.DataFrame)))
    columns = list(pool.values[frame.index].columns)
    name = draw(st.sampled_from([*columns, "s", "x"]))
    column = step("operator.getitem", frame, name)
    this = Ref(first)
    kind = draw(st.integers(0, 11))
    if kind == 0:
        op = draw(st.sampled_from(["lower", "strip", "upper", "len", "title"]))
        return [column, step("getattr", this, "str"), step(f".{op}", Ref(first + 1))]
    if kind == 1:
        call = draw(
            st.sampled_from(
                [
                    step(".astype", this, "category"),
                    step(".astype", this, float),
                    step(".value_counts", this),
                    step(".nunique", this),
                    step(".mode", this),
                    step("pandas.to_numeric", this, errors="coerce"),
                    step("pandas.to_datetime", this),
                    step("operator.add", this, "-"),
                    step("operator.add", this, this),
                    step(".map", this, {"a": 1, "B": 2}),
                    step(".fillna", this, "none"),
                    step("operator.eq", this, "a"),
                    step("pandas.get_dummies", this, prefix=name),
                ]
            )
        )
        return [column, call]
    if kind == 2:
        field = draw(st.sampled_from(["month", "dayofweek", "hour"]))
        dates = [column, step("pandas.to_datetime", this)]
        return [
            *dates,
            step("getattr", Ref(first + 1), "dt"),
            step("getattr", Ref(first + 2), field),
        ]
    if kind == 3:
        how = draw(st.sampled_from(REDUCTIONS))
        groups = step(".groupby", frame, draw(st.sampled_from(["s", "i", ["s", "u"]])))
        values = step("operator.getitem", this, draw(st.sampled_from(["x", "i", "y"])))
        last = draw(st.sampled_from(["transform", "direct", "rank", "shift", "cumcount"]))
        if last == "transform":
            return [groups, values, step(".transform", Ref(first + 1), how)]
        op = how if last == "direct" else last
        return [groups, values, step(f".{op}", Ref(first + 1))]
    if kind == 4:
        masks = pool.bool_series()
        assume(masks)
        return [step("operator.getitem", frame, draw(st.sampled_from(masks)))]
    if kind == 5:
        subset = draw(st.sampled_from([None, ["x"], ["s", "i"]]))
        op = draw(st.sampled_from([".dropna", ".drop_duplicates", ".duplicated"]))
        return [step(op, frame, subset=subset)]
    if kind == 6:
        rows = len(pool.values[frame.index])
        assume(rows)
        positions = draw(st.lists(st.integers(0, rows - 1), max_size=rows))
        picked = step("operator.getitem", this, np.array(positions, dtype="int64"))
        return [step("getattr", frame, "iloc"), picked]
    if kind == 7:
        how = draw(st.sampled_from(["left", "inner"]))
        grouped = [step(".groupby", frame, "s"), step("operator.getitem", this, ["x", "y"])]
        means = [step(".mean", Ref(first + 1)), step(".reset_index", Ref(first + 2))]
        return [*grouped, *means, step(".merge", frame, Ref(first + 3), how=how, on="s")]
    if kind == 8:
        edges = draw(st.sampled_from([[-5, 0, 1, 100], 3]))
        return [
            column,
            step("pandas.cut", this, edges, labels=draw(st.sampled_from([False, None]))),
        ]
    if kind == 9:
        return [column, step(".rank", this, pct=draw(st.booleans()))]
    if kind == 10:
        op = draw(st.sampled_from(["sum", "mean", "std", "count"]))
        return [step(f".{op}", frame, axis=1, numeric_only=True)]
    op = draw(st.sampled_from(["median", "mean", "sum", "max"]))
    medians = step(f".{op}", frame, numeric_only=True)
    return [medians, step(".fillna", frame, this)]


@st.composite
def long_chains(draw: st.DrawFn, most: int = 12) -> tuple[list[Step], list[Any]]:
    """A chain and its input; it may end with a step that raises."""
    inputs: list[Any] = [draw(tables())]
    pool = Pool(copies(inputs))
    steps: list[Step] = []
    wanted = draw(st.integers(1, most))
    while len(steps) < wanted:
        if draw(st.integers(0, 2)):
            added = draw(further_calls(pool))
        elif pool.refs(pd.Series):
            added = [draw(calls(pool))]
        else:
            added = [step("operator.getitem", Ref(0), draw(st.sampled_from(["x", "i", "s"])))]
        for call in added:
            args, kwargs = resolve(call.args, pool.values), resolve(dict(call.kwargs), pool.values)
            outcome = observe(lambda: call.func(*args, **kwargs))  # noqa: B023
            value = outcome.value
            rows = isinstance(value, (pd.Series, pd.DataFrame))
            if outcome.error is None and rows and (len(value) > 500 or not is_readable(value)):
                return steps, inputs
            steps.append(call)
            if outcome.error is not None:
                return steps, inputs
            pool.values.append(value)
        value = pool.values[-1]
        if isinstance(value, pd.Series) and draw(st.booleans()):  # features go into the frame
            owners = [
                ref for ref in pool.refs(pd.DataFrame) if len(pool.values[ref.index]) == len(value)
            ]
            if owners:
                name = draw(st.sampled_from(["x", "new", "s"]))
                last = Ref(len(pool.values) - 1)
                call = step("stratum.with_column", draw(st.sampled_from(owners)), name, last)
                outcome = observe(lambda: call.func(*resolve(call.args, pool.values)))  # noqa: B023
                if outcome.error is None:
                    steps.append(call)
                    pool.values.append(outcome.value)
    assume(steps)
    return steps, inputs


@settings(
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.filter_too_much,
    ],
    deadline=None,
    max_examples=5 * settings.default.max_examples,
)
@given(long_chains(), STATES)
def test_chain_equals_pandas(chain, state):
    steps, inputs = chain
    check_under(state, steps, inputs)
