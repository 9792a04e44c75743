"""Bins: native and in pandas they can't be told apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_dask.ops import counters
from stratum_dask.ops.steps import Ref
from tests.ops.generate import DTYPES, columns
from tests.ops.operands import FOREIGN, foreign
from tests.ops.oracle import check, step

pytestmark = pytest.mark.usefixtures("few_rows_too")

KINDS = ["float64", "float64", "int64", *DTYPES]

EDGES = st.lists(
    st.sampled_from([-np.inf, -5, -1, -0.0, 0, 0.5, 1, 2.5, 3, 7, 100, np.inf, 1e300]),
    min_size=1,
    max_size=6,
)
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "right": st.booleans(),
        "include_lowest": st.booleans(),
        "duplicates": st.sampled_from(["raise", "drop", "other"]),
        "precision": st.sampled_from([0, 3, 5]),
        "retbins": st.booleans(),
        "labels": st.one_of(
            st.just(False),
            st.none(),
            st.lists(st.sampled_from(["low", "high", "mid", 3]), max_size=4, unique=True),
        ),
        "ordered": st.booleans(),
    },
)


@given(columns(KINDS), EDGES, OPTIONS, st.booleans())
def test_cut_at_edges(column, edges, options, ascending):
    edges = sorted(edges) if ascending else edges
    kind = np.array if len(edges) % 3 == 0 else list
    check([step("pandas.cut", Ref(0), kind(edges), **options)], [column])


@given(columns(KINDS), st.one_of(st.integers(-1, 7), st.just(2.5)), OPTIONS)
def test_cut_into_equal_widths(column, count, options):
    check([step("pandas.cut", Ref(0), count, **options)], [column])


@given(columns(KINDS), st.integers(0, 7), OPTIONS)
def test_qcut(column, count, options):
    kept = {
        name: options[name] for name in ("labels", "precision", "duplicates") if name in options
    }
    check([step("pandas.qcut", Ref(0), count, **kept)], [column])


@pytest.mark.parametrize("rows", [5_000, 20_011])
@pytest.mark.parametrize("kind", ["floats", "missing", "integers", "repeated"])
def test_long_columns_run_natively(rows, kind):
    rng = np.random.default_rng(rows)
    values: Any = rng.normal(scale=10, size=rows)
    if kind == "missing":
        values[::7] = np.nan
    elif kind == "integers":
        values = values.astype("int64")
    elif kind == "repeated":
        values = np.round(values) + 0.0
    column = pd.Series(values)
    counters.reset()
    for args in ([-5, 0, 0.5, 5], 10, list(range(-60, 60)), [-np.inf, 0, np.inf]):
        for labels in (None, False):
            check([step("pandas.cut", Ref(0), args, labels=labels)], [column])
    if kind != "integers":
        check([step("pandas.qcut", Ref(0), 4, duplicates="drop")], [column])
        check([step("pandas.qcut", Ref(0), 10, labels=False, duplicates="drop")], [column])
    assert not counters.snapshot().fallbacks


@pytest.mark.parametrize("kind", FOREIGN)
def test_other_dtypes(kind):
    for length in (0, 1, 4):
        check([step("pandas.cut", Ref(0), [0, 1, 2])], [pd.Series(foreign(kind, length))])


def test_integers_that_are_no_floats():
    column = pd.Series([2**53, 2**53 + 1, 2**53 + 2])
    check([step("pandas.cut", Ref(0), [0, 2**53, 2**53 + 1, 2**54], labels=False)], [column])
