"""Reductions: of Series to scalars, of frames to Series."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from stratum_dask.ops import counters
from stratum_dask.ops.frames import ALONE, Alone, alone
from stratum_dask.ops.steps import Ref
from tests.ops.generate import DTYPES, FRACTIONS, frames
from tests.ops.operands import (
    FOREIGN,
    LITERALS,
    STATES,
    check_under,
    each_op,
    foreign,
    operands,
    some,
)
from tests.ops.oracle import assert_same_outcome, check, copies, fallbacks, observe, step

SIMPLE = [".median", ".mean", ".sum", ".count", ".min", ".max"]
SPREADS = [".std", ".var"]


@each_op(*SIMPLE, *SPREADS, ".mode")
@some(1, values=operands(count=1), state=STATES)
def test_reduction(op, values, state):
    check_under(state, [step(op, Ref(0))], values)


@pytest.mark.parametrize("state", ["raise", "warn", "ignore"])
@pytest.mark.parametrize("middle", [(0.0, 5e-324), (1e308, 1.7e308), (-np.inf, np.inf)])
def test_what_the_middle_of_a_median_raises(middle, state):
    for times in (1, 20):
        column = pd.Series(middle * times)
        for table in (column, column.to_frame()):
            check_under({"all": state}, [step(".median", Ref(0))], [table])
        check_under({"all": state}, [step(".quantile", Ref(0), 0.3)], [column])


@each_op(*SIMPLE, *SPREADS)
@some(
    0.5,
    values=operands(count=1),
    keywords=st.sampled_from(
        [
            {"numeric_only": True},
            {"numeric_only": False},
            {"numeric_only": None},
            {"numeric_only": 1},
            {"skipna": False},
            {"axis": 0},
            {"axis": None},
            {"ddof": 0},
            {"ddof": 2},
            {"ddof": 30},
            {"ddof": -1},
            {"ddof": 0.5},
            {"min_count": 1},
        ]
    ),
)
def test_keywords(op, values, keywords):
    check([step(op, Ref(0), **keywords)], values)


@each_op(".quantile", ".any", ".all")
@some(1, frame=frames(), q=FRACTIONS, numeric=st.booleans(), state=STATES)
def test_frames(op, frame, q, numeric, state):
    if op == ".quantile":
        check_under(state, [step(op, Ref(0), q, numeric_only=numeric)], [frame])
        low, high = step(op, Ref(0), q), step(op, Ref(0), 1.0)
        check_under(state, [low, high, step("operator.sub", Ref(2), Ref(1))], [frame])
    else:
        check([step("operator.gt", Ref(0), q), step(op, Ref(1), axis=1)], [frame])
        check([step(op, Ref(0), axis=1)], [frame])
        check([step(op, Ref(0))], [frame])


@each_op(*SIMPLE, *SPREADS)
@pytest.mark.parametrize("kind", FOREIGN)
def test_other_dtypes(op, kind):
    for length in (0, 1, 4):
        column = pd.Series(foreign(kind, length))
        check([step(op, Ref(0))], [column])
        check([step(op, Ref(0), numeric_only=True)], [pd.DataFrame({"a": 1.5, "b": column})])


@each_op(*SIMPLE, *SPREADS, ".mode")
@pytest.mark.parametrize("dtype", DTYPES)
def test_long_columns(op, dtype):
    """Sums depend on the order in which floats are added."""
    steps = [step(op, Ref(0))]
    first = [*steps, step("operator.getitem", Ref(1), 0)] if op == ".mode" else steps
    for length in (7, 8, 127, 129, 1000, 9001, 20_011):
        column = long_column(dtype, length)
        check(first, [column])
        frame = pd.DataFrame({"a": column, "b": column[::-1].to_numpy(), "c": column})
        check(steps, [frame])
        frame["d"] = np.arange(length)  # sums of integers in blocks of several dtypes
        frame["e"] = np.arange(length, dtype="int8")
        check(steps, [frame])
        check(first, [pd.Series(np.repeat(column.to_numpy(), 3)[::3])])  # not contiguous


def long_column(dtype: str, length: int) -> pd.Series:
    rng = np.random.default_rng([length, len(dtype)])
    values = rng.normal(scale=50, size=length) * 10 ** rng.uniform(-3, 0, length)
    if dtype.startswith("float"):
        values[rng.random(length) < 0.1] = np.nan
    elif dtype == "int64":
        values *= 1e15
    elif dtype[0] == "u":
        values = np.abs(values)
    return pd.Series(values.astype(dtype))


@each_op(*SIMPLE, *SPREADS)
@some(0.5, value=st.floats(), length=st.integers(0, 4), dtype=st.sampled_from(["f4", "f8"]))
def test_one_value(op, value, length, dtype):
    """Infinities, zeros of both signs, denormals; also of nothing but missing values."""
    with np.errstate(over="ignore"):
        column = pd.Series(np.full(length, value).astype(dtype))
        mixed = pd.Series(np.array([0.0, -0.0, np.nan, -value, value]).astype(dtype))
    check([step(op, Ref(0))], [column])
    check([step(op, Ref(0))], [column.to_frame("a")])
    check([step(op, Ref(0))], [mixed])


@each_op(".mode")
def test_missing_mode_that_nobody_needs(op):
    """Of no values there is no first mode, also where filling integers wouldn't look at it."""
    steps = [step(op, Ref(0)), step("operator.getitem", Ref(1), 0), step(".fillna", Ref(0), Ref(2))]
    for values in ([], [1, 1], [np.nan], [np.nan, 2.0]):
        check(steps, [pd.Series(values, dtype="float64" if np.nan in values else "int64")])
        check(steps, [pd.Series(values, dtype="float64")])


@each_op(".quantile")
@some(3, values=operands(count=1), q=st.one_of(FRACTIONS, st.floats(0, 1), LITERALS), state=STATES)
def test_quantile(op, values, q, state):
    check_under(state, [step(op, Ref(0), q)], values)


@each_op(".quantile")
@some(
    2,
    values=operands(count=1),
    q=st.lists(st.one_of(FRACTIONS, st.floats(0, 1), st.sampled_from([0, 1, 2])), max_size=4),
    state=STATES,
    frame=frames(),
)
def test_several_quantiles(op, values, q, state, frame):
    several = step(op, Ref(0), q)
    check_under(state, [several], values)
    check_under(state, [several, step("operator.mul", Ref(1), 2)], values)
    check_under(state, [several, step("operator.sub", Ref(0), Ref(1))], values)
    check_under(state, [several, step("operator.getitem", Ref(1), 0.5)], values)
    frame.columns = [0, 1, 0.5, 0.25, 2, 3, 4, 5, 6][: len(frame.columns)]
    column = step("operator.getitem", Ref(0), 0)
    for use in (".fillna", "operator.add"):
        check([column, step(op, Ref(1), q), step(use, Ref(0), Ref(2))], [frame])


def test_several_quantiles_run_natively():
    counters.reset()
    check([step(".quantile", Ref(0), [0.75, 0, 0.25])], [pd.Series(np.arange(9.0), name="x")])
    assert not counters.snapshot().fallbacks


@pytest.mark.parametrize("dtype", DTYPES)
def test_quantiles_of_long_columns(dtype):
    for length in (7, 8_191, 8_192, 30_011):
        column = long_column(dtype, length)
        for q in (0, 0.001, 0.01, 0.25, 1 / 3, 0.75, 0.9999, 1):
            check([step(".quantile", Ref(0), q)], [column])


@each_op(".mode")
@some(1, values=operands(count=1), key=st.sampled_from([0, 0, 0, 1, "a", np.int64(0)]))
def test_first_mode(op, values, key):
    check([step(op, Ref(0)), step("operator.getitem", Ref(1), key)], values)


@pytest.mark.parametrize("op", [".mean", ".var", ".std"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("state", ["raise", "warn", "ignore"])
def test_underflow_is_reported_as_by_numpy(op, dtype, state):
    tiny = np.finfo(dtype).smallest_subnormal
    for values in ([0, 0, 0, 0, tiny], [0, 0, tiny, tiny], [1e-200, 0, 0], [1e-30, 0, 0]):
        with np.errstate(all=state):
            check([step(op, Ref(0))], [pd.Series(values, dtype=dtype)])


@each_op(*sorted(ALONE))
@some(
    0.5,
    values=operands(count=1),
    rest=st.sampled_from([(), (0,), (0.25,), (0.5, 2), ([0.1, 0.9],)]),
    keywords=st.sampled_from([{}, {}, {"axis": 1}, {"numeric_only": True}, {"skipna": False}]),
)
def test_alone(op, values, rest, keywords):
    """Calls that are no part of a chain, as if all were long enough."""
    call = step(op)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(alone, "_LEAST", dict.fromkeys(ALONE, 0))
        actual = observe(lambda: Alone(op, call.func)(*copies(values), *rest, **keywords))
    expected = observe(lambda: call.func(*copies(values), *rest, **keywords))
    assert_same_outcome(actual, expected)


@each_op(*sorted(ALONE))
@pytest.mark.parametrize("rows", [900, 150_000])
def test_alone_runs_natively_where_it_is_faster(op, rows):
    arguments = {".quantile": (0.25,), ".clip": (0, 1)}.get(op, ())
    column = pd.Series(np.random.default_rng(0).normal(size=rows))
    call = step(op)
    expected = observe(partial(call.func, column, *arguments))
    counters.reset()
    actual = observe(partial(Alone(op, call.func), column, *arguments))
    assert_same_outcome(actual, expected)
    ran = counters.snapshot()
    assert not fallbacks()
    assert [*ran.hits, *(left.operation for left in ran.fallbacks)] == [op] * (rows > 900)


@each_op(".mean", ".max")
def test_alone_leaves_integers_to_pandas(op):
    counters.reset()
    column = pd.Series(np.arange(150_000))
    run = Alone(op, step(op).func)
    run(column)
    run(pd.DataFrame({"a": column, "b": 0.5}))
    assert not counters.snapshot().hits
