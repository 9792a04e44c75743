"""Missing and replaced values: fillna, isna, clip, where, mask, isin, map, numpy.where."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

from stratum_dask.ops import counters
from stratum_dask.ops.steps import Ref
from tests.ops.generate import DTYPES, MAPPINGS, NUMBERS, frames, values_of
from tests.ops.operands import (
    LENGTHS,
    LITERALS,
    STATES,
    call,
    check_under,
    each_op,
    operands,
    prefixed,
    rows,
    series,
    some,
    unlike,
)
from tests.ops.oracle import check, fallbacks, step

TESTS = ["isna", "isnull", "notna", "notnull"]
BOUNDS = st.one_of(st.none(), NUMBERS, LITERALS)


@each_op(*prefixed("", TESTS), *prefixed("pandas", TESTS))
@some(0.5, values=operands(count=1))
def test_is_missing(op, values):
    check([step(op, Ref(0))], values)


@each_op(".fillna")
@some(4, values=operands(), named=st.booleans(), data=st.data())
def test_fillna(op, values, named, data):
    if named:
        steps, inputs = [step(op, Ref(0), value=Ref(1))], values
    else:
        steps, inputs = data.draw(call(op, values))
    check(steps, inputs)


@each_op(".fillna")
@some(2, values=operands(count=1), data=st.data())
def test_fillna_by_column(op, values, data):
    if isinstance(values[0], pd.DataFrame):
        fillings = st.one_of(rows(values[0]), st.dictionaries(st.sampled_from("abz"), LITERALS))
    else:
        fillings = st.dictionaries(st.integers(0, 3), LITERALS)
    check([step(op, Ref(0), data.draw(fillings))], values)


@each_op(".fillna")
@some(1, values=operands(count=1), reduction=st.sampled_from(["median", "mean", "max", "mode"]))
def test_fillna_with_a_reduction(op, values, reduction):
    steps = [step(f".{reduction}", Ref(0))]
    if reduction == "mode":
        steps.append(step("operator.getitem", Ref(1), 0))
    check([*steps, step(op, Ref(0), Ref(len(steps)))], values)


@each_op(".clip", "numpy.clip")
@some(2, values=operands(count=1), low=BOUNDS, high=BOUNDS, state=STATES, data=st.data())
def test_clip(op, values, low, high, state, data):
    steps, inputs = data.draw(call(op, [*values, low, high]))
    check_under(state, steps, inputs)


ROW_BOUNDS = st.sampled_from(
    [0.0, -0.0, 1.0, 2.5, -3.0, 100.0, 300.0, -500.0, 1e300, 2.0**53, float("inf"), float("-inf")]
)


@st.composite
def bounds_of(draw, frame):
    """None, a number, or a Series of one bound for each column."""
    if draw(st.integers(0, 5)) == 0:
        return draw(BOUNDS)
    count = frame.shape[1]
    values = draw(st.lists(ROW_BOUNDS, min_size=count, max_size=count))
    row = pd.Series(values, index=frame.columns, dtype="float64")
    change = draw(st.sampled_from(["none", "none", "none", "whole", "order", "missing", "f32"]))
    if change == "whole":
        row = row.clip(-100, 100).round()
    if change == "missing" and count:
        row.iloc[0] = np.nan
    return (
        row[::-1]
        if change == "order"
        else row.clip(-9, 9).astype("float32")
        if change == "f32"
        else row
    )


@each_op(".clip")
@some(2, frame=frames(), axis=st.sampled_from([1, 1, "columns", 0, None, True]), data=st.data())
def test_clip_between_bounds_of_columns(op, frame, axis, data):
    low, high = data.draw(bounds_of(frame)), data.draw(bounds_of(frame))
    check([step(op, Ref(0), Ref(1), Ref(2), axis=axis)], [frame, low, high])


def test_clip_between_quantiles_runs_natively():
    rows = np.arange(50)
    frame = pd.DataFrame({"a": rows, "b": rows / 7, "c": (rows % 9).astype("int8"), "d": -rows})
    for low, high in ((0.1, 0.9), (0.0, 0.9), (0.5, 1.0), (0.0, 1.0)):
        counters.reset()
        bounds = [step(".quantile", Ref(0), q) for q in (low, high)]
        check([*bounds, step(".clip", Ref(0), Ref(1), Ref(2), axis=1)], [frame[["a", "b", "d"]]])
        lower, upper = frame.quantile(low), frame.quantile(high)
        check([step(".clip", Ref(0), lower=Ref(1), upper=Ref(2), axis=1)], [frame, lower, upper])
        assert not fallbacks()


@pytest.mark.parametrize(
    ("op", "keywords"),
    [
        (".clip", {"lower": 1}),
        (".clip", {"upper": 1}),
        (".clip", {"lower": 0, "upper": 1}),
        (".clip", {"lower": 0, "axis": 0}),
        (".clip", {"min": 0, "max": 1}),
        (".clip", {}),
        ("numpy.clip", {"a_min": 0, "a_max": 1}),
        ("numpy.clip", {"min": 0, "max": 1}),
        ("numpy.clip", {"min": 0}),
        ("numpy.clip", {"a_min": 0}),
        ("numpy.clip", {"lower": 0, "upper": 1}),
        ("numpy.clip", {"lower": 0}),
        ("numpy.clip", {}),
    ],
)
def test_keywords_of_clip(op, keywords):
    column = pd.Series([1.5, np.nan, -2.0])
    check([step(op, Ref(0), **keywords)], [column])
    check([step(op, Ref(0), 0, **keywords)], [column])


@each_op(".where", ".mask")
@some(3, values=operands(count=3), given=st.booleans(), data=st.data())
def test_replacement(op, values, given, data):
    """Conditions are bool columns mostly, on the same index mostly."""
    first, condition, other = values
    if data.draw(st.integers(0, 5)):
        condition = data.draw(series(len(first), first.index, st.just("bool")))
    operands = [first, condition, other] if given else [first, condition]
    steps, inputs = data.draw(call(op, operands))
    check(steps, inputs)


@each_op(".where", ".mask")
def test_keywords_of_replacement(op):
    column, condition = pd.Series([1.5, np.nan]), pd.Series([True, False])
    for keywords in [{"other": 0.5}, {"other": 0.5, "axis": 0}, {"level": None}, {}]:
        check([step(op, Ref(0), cond=Ref(1), **keywords)], [column, condition])
    check([step(op, Ref(0), other=1.0)], [column])


@each_op("numpy.where")
@some(4, values=operands(whole=False), data=st.data())
def test_numpy_where(op, values, data):
    length = len(values[0])
    condition = data.draw(
        st.one_of(
            series(length, values[0].index, st.just("bool")),
            values_of("bool", length),
            unlike(length, values[0].index),
        )
    )
    first, second = data.draw(st.permutations(values))
    steps, inputs = data.draw(call(op, [condition, first, second]))
    check(steps, inputs)


CONTAINERS = st.sampled_from([list, tuple, set, frozenset, np.array, pd.Series])


@each_op(".isin")
@some(3, values=operands(count=1), members=st.lists(NUMBERS), make=CONTAINERS)
def test_isin(op, values, members, make):
    check([step(op, Ref(0), make(members))], values)


@each_op(".isin")
@some(2, values=operands(count=1), members=st.lists(LITERALS), named=st.booleans())
def test_isin_of_anything(op, values, members, named):
    arguments = {"values": members} if named else {}
    check([step(op, Ref(0), *([] if named else [members]), **arguments)], values)


@each_op(".isin")
@pytest.mark.parametrize("dtype", DTYPES)
def test_isin_at_the_limits(op, dtype):
    limits = [0, 1, -1, 127, 128, 255, 256, 2**24 + 1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63)]
    fitting = limits
    if dtype[0] in "iu":
        info = np.iinfo(dtype)
        fitting = [x for x in limits if info.min <= x <= info.max]
    column = pd.Series(np.array(fitting).astype(dtype))
    for members in ([x] for x in [*limits, 2**63, 2**64, 0.5, 1.0, float(2**53), True, np.nan]):
        check([step(op, Ref(0), members)], [column])
        check([step(op, Ref(0), [*members, 1])], [column])
        check([step(op, Ref(0), [*members, 0.5])], [column])


@each_op(".map")
@some(3, values=operands(count=1), mapping=MAPPINGS)
def test_map(op, values, mapping):
    check([step(op, Ref(0), mapping)], values)


@each_op(".map")
@some(1, values=operands(count=1), pairs=st.lists(st.tuples(LITERALS, LITERALS)))
def test_map_of_anything(op, values, pairs):
    check([step(op, Ref(0), dict(pairs))], values)


@each_op(".map")
@some(1, length=LENGTHS, data=st.data())
def test_map_of_all_values(op, length, data):
    """Every value has a key, so that the result can keep integers."""
    column = data.draw(series(length, pd.RangeIndex(length)))
    keys = [key for key in column.tolist() if key == key]
    mapping = {key: data.draw(st.sampled_from([1, -7, 0.5, 2**62, True])) for key in keys}
    check([step(op, Ref(0), mapping)], [column])
    check([step(op, Ref(0), mapping, na_action="ignore")], [column])
