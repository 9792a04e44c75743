"""Reductions of rows, which depend on how columns lie in blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_dask.ops import counters
from stratum_dask.ops.steps import Ref, Step
from tests.ops.generate import DTYPES, frames, values_of
from tests.ops.operands import FOREIGN, STATES, check_under, foreign
from tests.ops.oracle import check, fallbacks, step

OPS = st.sampled_from([".sum", ".mean", ".count", ".std", ".var"])
MEDIANS = st.fixed_dictionaries(
    {"axis": st.sampled_from([1, 1, "columns", 0, True, None])},
    optional={"skipna": st.sampled_from([True, False, 1]), "numeric_only": st.booleans()},
)
KEYWORDS = st.sampled_from(
    [
        *[{}] * 6,
        {"numeric_only": True},
        {"numeric_only": False},
        {"skipna": False},
        {"ddof": 0},
        {"ddof": 3},
        {"min_count": 1},
    ]
)


@st.composite
def fragmented(draw: st.DrawFn) -> tuple[list[Step], pd.DataFrame]:
    """A frame, and steps that give its columns other blocks."""
    length = draw(st.sampled_from([0, 1, 5, 6, 7, 20]))
    width = draw(st.integers(1, 6))
    dtypes = st.sampled_from(draw(st.sampled_from([["float64"], ["float64", "int64"], DTYPES])))
    names = [*"abcdef"][:width]
    if draw(st.booleans()):
        dtype = draw(dtypes)
        stacked = [draw(values_of(dtype, length)) for _ in names]
        frame = pd.DataFrame(np.stack(stacked).T, columns=names, copy=False)
    else:
        frame = pd.DataFrame({name: draw(values_of(draw(dtypes), length)) for name in names})
    steps: list[Step] = []
    for _ in range(draw(st.integers(0, 4))):
        last = Ref(len(steps))
        kind = draw(st.sampled_from(["set", "set", "copy", "select", "scale", "fill"]))
        if kind == "set":
            name = draw(st.sampled_from([*names, "new"]))
            steps.append(step("stratum.with_column", last, name, draw(st.sampled_from([0.1, 7]))))
        elif kind == "copy":
            steps.append(step(".copy", last))
        elif kind == "select":
            kept = draw(st.lists(st.sampled_from(names), unique=True, min_size=1))
            names = kept
            steps.append(step("operator.getitem", last, kept))
        elif kind == "scale":
            steps.append(step("operator.mul", last, 1.1))
        else:
            steps.append(step(".fillna", last, dict.fromkeys(names[::2], 1.5)))
    return steps, frame


@given(fragmented(), OPS, KEYWORDS, STATES)
def test_rows_of_any_blocks(given, op, keywords, state):
    steps, frame = given
    last = Ref(len(steps))
    check_under(state, [*steps, step(op, last, axis=1, **keywords)], [frame])
    check([*steps, step(".isna", last), step(".sum", Ref(len(steps) + 1), axis=1)], [frame])


@given(fragmented(), MEDIANS, STATES)
def test_medians_of_rows_of_any_blocks(given, options, state):
    steps, frame = given
    check_under(state, [*steps, step(".median", Ref(len(steps)), **options)], [frame])


@given(frames(), MEDIANS)
def test_medians_of_rows_of_any_frames(frame, options):
    check([step(".median", Ref(0), **options)], [frame])


@pytest.mark.parametrize("width", [1, 2, 3, 6, 7, 30, 130])
@pytest.mark.parametrize("dtypes", [["f8"], ["f4"], ["i8"], ["?"], ["f4", "i2"], ["f8", "?", "u8"]])
def test_medians_of_long_frames_run_natively(width, dtypes):
    rng = np.random.default_rng(width)
    columns = {}
    for number in range(width):
        values = np.round(rng.normal(scale=30, size=3_000)) + 0.0
        if dtypes[number % len(dtypes)] == "?":
            values = values > 0
        elif dtypes[number % len(dtypes)][0] == "f":
            values[rng.random(3_000) < 0.5] = np.nan
            values[rng.random(3_000) < 0.01] = np.inf
        else:
            values = np.abs(values)
        columns[f"c{number}"] = values.astype(dtypes[number % len(dtypes)])
    frame = pd.DataFrame(columns)
    table = pd.DataFrame(np.asfortranarray(frame.to_numpy(dtypes[0])), copy=False)
    for one in (frame, frame.copy(), table):
        for options in ({}, {"skipna": False}) if width == 3 else ({},):
            counters.reset()
            check([step(".median", Ref(0), axis=1, **options)], [one])
            assert not fallbacks()


def test_medians_are_never_negative_zeros():
    frame = pd.DataFrame({"a": [0.0, -0.0, -5e-324], "b": -0.0, "c": [-1.0, -0.0, 1.0]})
    for columns in ([*"abc"], [*"ab"]):
        check([step(".median", Ref(0), axis=1)], [frame[columns]])


@pytest.mark.parametrize("op", ["sum", "mean", "count", "std", "var"])
@pytest.mark.parametrize("width", [1, 2, 7, 9, 30])
def test_floats_are_added_in_pandas_order(op, width):
    rng = np.random.default_rng(width)
    values = rng.normal(size=(width, 1_000)) * 10.0 ** rng.integers(-8, 8, (width, 1_000))
    values[rng.random(values.shape) < 0.1] = np.nan
    names = [f"c{i}" for i in range(width)]
    together = pd.DataFrame(values.T, columns=names, copy=False)
    apart = pd.DataFrame(dict(zip(names, values.copy(), strict=True)))
    mixed = together.copy()
    mixed["c0"] = np.arange(1_000)
    mixed["new"] = values[0] * 3
    added = together.copy()
    added["new"] = values[0] * 3
    for frame in (together, apart, mixed, added):
        counters.reset()
        check([step(f".{op}", Ref(0), axis=1)], [frame])
        assert not fallbacks()


def test_frames_that_were_assigned_to_are_added_as_in_pandas():
    """What is made here and added up by pandas."""
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(1_000, 3)), columns=[*"abc"])
    steps = [
        step("operator.getitem", Ref(0), "a"),
        step("operator.mul", Ref(1), 1.1),
        step("stratum.with_column", Ref(0), "d", Ref(2)),
        step("stratum.with_column", Ref(3), "e", Ref(2)),
        step("stratum.with_column", Ref(4), "b", Ref(2)),
        step(".agg", Ref(5), "sum", axis=1),
    ]
    check(steps, [frame])


@pytest.mark.parametrize("kind", FOREIGN)
def test_other_dtypes(kind):
    for length in (0, 1, 9):
        column = pd.Series(foreign(kind, length))
        frame: Any = pd.DataFrame({"a": 1.5, "b": column, "c": 2})
        for op in (".sum", ".count", ".std", ".median"):
            check([step(op, Ref(0), axis=1)], [frame])
            check([step(op, Ref(0), axis=1, numeric_only=True)], [frame])
