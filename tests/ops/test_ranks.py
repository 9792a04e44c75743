"""Ranks: native and in pandas they can't be told apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_dask.ops import counters
from stratum_dask.ops.steps import Ref
from tests.ops.generate import DTYPES, indexes, values_of
from tests.ops.operands import FOREIGN, foreign
from tests.ops.oracle import check, step

TIES = ["average", "min", "max", "first", "dense"]
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "method": st.sampled_from([*TIES, *TIES, "other"]),
        "ascending": st.booleans(),
        "pct": st.booleans(),
        "na_option": st.sampled_from(["keep", "top", "bottom"]),
        "numeric_only": st.booleans(),
    },
)


@st.composite
def columns(draw: st.DrawFn) -> pd.Series:
    length = draw(st.sampled_from([0, 1, 2, 9, 30]))
    dtype = draw(st.sampled_from(["float64", "float64", "int64", *DTYPES]))
    values = draw(values_of(dtype, length))
    return pd.Series(values, index=draw(indexes(length)), name=draw(st.sampled_from(["x", None])))


@given(columns(), OPTIONS)
def test_rank(column, options):
    check([step(".rank", Ref(0), **options)], [column])


@given(columns(), OPTIONS, st.data())
def test_rank_in_groups(column, options, data):
    n = len(column)
    keys: Any = data.draw(st.sampled_from([["a", "b", None], [1, 2, 3], [0.5, None, 1.5]]))
    keys = data.draw(st.lists(st.sampled_from(keys), min_size=n, max_size=n))
    frame = pd.DataFrame({"k": keys, "x": column.to_numpy()}, index=column.index)
    options.pop("numeric_only", None)
    steps = [
        step(".groupby", Ref(0), "k", sort=data.draw(st.booleans())),
        step("operator.getitem", Ref(1), "x"),
        step(".rank", Ref(2), **options),
    ]
    check(steps, [frame])


def test_rows_without_a_group_turn_integers_into_floats():
    """pandas does that before it ranks them, so that neighbours beyond 2**53 are equal."""
    frame = pd.DataFrame({"k": ["a", "a", None], "x": [2**53, 2**53 + 1, 0]})
    grouped = [step(".groupby", Ref(0), "k"), step("operator.getitem", Ref(1), "x")]
    check([*grouped, step(".rank", Ref(2))], [frame])
    assert frame.groupby("k")["x"].rank().tolist()[:2] == [1.5, 1.5]


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("dtype", ["float64", "int64"])
def test_long_columns_run_natively(ties, dtype):
    rng = np.random.default_rng(1)
    values = np.round(rng.normal(scale=300, size=20_000)).astype(dtype)
    column = pd.Series(values)
    if dtype == "float64":
        column[::9] = np.nan
    frame = pd.DataFrame({"k": rng.integers(0, 50, 20_000), "x": column})
    counters.reset()
    for ascending in (True, False):
        check([step(".rank", Ref(0), method=ties, ascending=ascending)], [column])
        grouped = [step(".groupby", Ref(0), "k"), step("operator.getitem", Ref(1), "x")]
        check([*grouped, step(".rank", Ref(2), method=ties, ascending=ascending)], [frame])
    assert not counters.snapshot().fallbacks


@pytest.mark.parametrize("kind", FOREIGN)
def test_other_dtypes(kind):
    for length in (0, 1, 4):
        check([step(".rank", Ref(0))], [pd.Series(foreign(kind, length))])
