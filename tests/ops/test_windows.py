"""Rolling windows: native and in pandas they can't be told apart."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas._libs.window import aggregations

from stratum_dask.ops import counters
from stratum_dask.ops.direct.windows import loses_as_pandas
from stratum_dask.ops.steps import Ref
from tests.ops.generate import DTYPES, columns, frames
from tests.ops.operands import FOREIGN, foreign
from tests.ops.oracle import check, fallbacks, step

pytestmark = pytest.mark.usefixtures("few_rows_too")

KINDS = ["float64", "float64", *DTYPES]

WINDOWS = st.fixed_dictionaries(
    {"window": st.sampled_from([1, 2, 3, 5, 8, 30, 0, -1, "3s", 2.5])},
    optional={
        "min_periods": st.sampled_from([None, 0, 1, 2, 40, -1]),
        "center": st.booleans(),
        "closed": st.sampled_from([None, "right", "left", "both", "neither", "other"]),
        "step": st.sampled_from([None, 1, 3]),
        "method": st.sampled_from(["single", "single", "table"]),
        "win_type": st.sampled_from([None, None, None, "boxcar"]),
    },
)
EXTREMES = [".min", ".max"]
SUMS = [".sum", ".mean", ".var", ".std"]
OPS = st.sampled_from([*EXTREMES, *SUMS, ".median"])
OPTIONS = st.sampled_from(
    [
        {},
        {},
        {},
        {"numeric_only": True},
        {"engine": "cython"},
        {"ddof": 0},
        {"ddof": 3},
        {"ddof": 1.5},
    ]
)


@given(columns(KINDS), WINDOWS, OPS, OPTIONS)
def test_columns(column, windows, op, options):
    check([step(".rolling", Ref(0), **windows), step(op, Ref(1), **options)], [column])


@given(frames(), WINDOWS, OPS, OPTIONS)
def test_frames(frame, windows, op, options):
    check([step(".rolling", Ref(0), **windows), step(op, Ref(1), **options)], [frame])


@given(st.lists(st.sampled_from([0.0, -0.0, 1.0, -1.0]), max_size=20), st.integers(1, 9), OPS)
def test_zeros_of_both_signs(values, window, op):
    check([step(".rolling", Ref(0), window), step(op, Ref(1))], [pd.Series(values)])


@pytest.mark.parametrize("kind", FOREIGN)
def test_other_dtypes(kind):
    column = pd.Series(foreign(kind, 9))
    for table in (column, pd.DataFrame({"a": 1.5, "b": column})):
        check([step(".rolling", Ref(0), 3), step(".max", Ref(1))], [table])


@st.composite
def lengthy(draw: st.DrawFn) -> pd.Series:
    """A column in which digits get lost in every way: long, and of values that a seed decides."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows = draw(st.sampled_from([300, 3_000]))
    values = rng.normal(size=rows)
    match draw(st.sampled_from(["even", "wide", "whole", "cents", "steps"])):
        case "wide":
            values = np.exp(30 * values) * rng.choice([-1, 1], rows)
        case "whole":
            values = np.round(1_000 * values) + 0.0
        case "cents":
            values = np.round(values, 2)
        case "steps":
            values = np.repeat(rng.choice([0.1, 1e9, 0.0, -0.0, 1e-9], rows // 20), 20)[:rows]
    if draw(st.booleans()):
        values[rng.random(len(values)) < draw(st.sampled_from([0.01, 0.5]))] = np.nan
    if draw(st.booleans()):
        values[rng.random(len(values)) < 0.01] = draw(st.sampled_from([np.inf, 1e17, -0.0, 5e-324]))
    return pd.Series(values)


@given(lengthy(), WINDOWS, st.sampled_from(SUMS))
def test_which_digits_are_lost(column, windows, op):
    check([step(".rolling", Ref(0), **windows), step(op, Ref(1))], [column])


def test_other_digits_are_left_to_pandas(monkeypatch):
    def other(*args):
        return np.zeros(len(args[0]))

    monkeypatch.setattr(aggregations, "roll_sum", other)
    loses_as_pandas.cache_clear()
    counters.reset()
    column = pd.Series([0.5, 1.0, 2.0])
    check([step(".rolling", Ref(0), 2), step(".sum", Ref(1))], [column])
    assert {f.reason for f in fallbacks()} == {"pandas loses other digits"}
    monkeypatch.undo()
    loses_as_pandas.cache_clear()
    assert loses_as_pandas()


@pytest.mark.parametrize("window", [1, 2, 7, 100, 500])
@pytest.mark.parametrize("op", [*EXTREMES, *SUMS])
def test_long_columns_run_natively(window, op):
    rng = np.random.default_rng(window)
    column = pd.Series(np.round(rng.normal(scale=300, size=20_000)) + 0.0)
    column[rng.random(20_000) < 0.1] = np.nan
    tables = [column, column.astype("float32").to_frame(), column.fillna(0).astype(int)]
    if op in SUMS:
        tables.append(column / 7)
    counters.reset()
    for options in ({}, {"min_periods": 1}, {"center": True}):
        for table in tables:
            check([step(".rolling", Ref(0), window, **options), step(op, Ref(1))], [table])
    assert not counters.snapshot().fallbacks
