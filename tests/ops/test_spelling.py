"""Categories, dates and NumPy's texts become strings as pandas makes them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stratum_dask.ops import counters
from stratum_dask.ops.steps import Ref
from tests.ops.generate import indexes
from tests.ops.oracle import check, every_length, fallbacks, step

SLOW = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
WORDS = [
    "",
    "a",
    "b",
    "am",
    "nan",
    "None",
    "é",
    "ÿ" * 3,
    "eight or",
    "more than eight",
    "日本",
    "a b",
]
TO_TEXT = st.sampled_from([str, "str", "string", object])


@pytest.fixture(autouse=True)
def _few_rows_too(monkeypatch):
    every_length(monkeypatch)


@st.composite
def texts(draw):
    length = draw(st.sampled_from([0, 1, 2, 7, 40]))
    words = draw(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6))
    array = np.array([words[i % len(words)] for i in range(length)], dtype=str)
    kind = draw(
        st.sampled_from(
            ["plain", "objects", "objects", "wider", "strided", "swapped", "2d", "long"]
        )
    )
    if kind == "objects":
        few = [*words, *draw(st.lists(st.sampled_from([np.nan, None, "a" * 2, 1, 2.5])))]
        array = np.array([few[i * 7 % len(few)] for i in range(length)], dtype=object)
        return array[::-1] if draw(st.integers(0, 3)) == 0 else array
    if kind == "wider":
        return array.astype("U30" if draw(st.booleans()) else "U13")
    if kind == "strided":
        return np.repeat(array, 2)[::2]
    if kind == "swapped":
        return array.astype(array.dtype.newbyteorder())
    if kind == "2d":
        return array[:, np.newaxis]
    return np.append(array, "x") if kind == "long" else array


@SLOW
@given(texts(), st.sampled_from(["a", "new", 0, ["a"], ["a", "b"], ("a", "b")]), st.data())
def test_texts_of_numpy(array, name, data):
    rows = len(array)
    frame = pd.DataFrame({"a": np.arange(rows), "b": 0.5}, index=data.draw(indexes(rows)))
    if data.draw(st.integers(0, 5)) == 0:
        frame.columns = ["a", "a"]
    check([step("stratum.with_column", Ref(0), name, Ref(1))], [frame, array])
    if name == "new":
        check([step(".assign", Ref(0), new=Ref(1))], [frame, array])
        check([step(".assign", Ref(0), new=Ref(1), a=1)], [frame, array])


@st.composite
def columns(draw):
    length = draw(st.sampled_from([0, 1, 2, 7, 40]))
    kind = draw(st.sampled_from(["texts", "objects", "numbers", "period", "date", "zoned"]))
    if kind in ("texts", "objects", "numbers"):
        values = [1, 2, 3] if kind == "numbers" else draw(st.permutations(WORDS))[:5]
        codes = draw(st.lists(st.integers(-1, len(values) - 1), min_size=length, max_size=length))
        categories = pd.Index(values, dtype=object if kind == "objects" else None)
        array = pd.Categorical.from_codes(codes, categories, ordered=draw(st.booleans()))
    else:
        days = draw(st.lists(st.integers(0, 3), min_size=length, max_size=length))
        unit = draw(st.sampled_from(["D", "h"]))
        zone = "UTC" if kind == "zoned" else None
        dates = pd.Timestamp("2024-02-28", tz=zone) + pd.to_timedelta(days, unit=unit)
        dates = dates.where(np.array(days) != 3)
        array = dates.to_period("M").array if kind == "period" else dates.array
    return pd.Series(array, index=draw(indexes(length)), name=draw(st.sampled_from(["x", None])))


@SLOW
@given(columns(), TO_TEXT)
def test_columns(column, dtype):
    check([step(".astype", Ref(0), dtype)], [column])
    check([step(".astype", Ref(0), dtype), step("operator.add", Ref(1), "_")], [column])


@SLOW
@given(st.lists(st.sampled_from([*WORDS, None]), max_size=40), st.data())
def test_another_string_in_place_of_some(values, data):
    rows = len(values)
    index = data.draw(indexes(rows))
    column = pd.Series(values, index=index, dtype="str", name="x")
    mask = data.draw(st.lists(st.booleans(), min_size=rows, max_size=rows))
    condition = pd.Series(mask, index=index, name="y", dtype=bool)
    other = data.draw(st.sampled_from(["a", "other", "", "é", np.nan, None, 1, column]))
    kind = data.draw(st.sampled_from(["series", "series", "array", "index"]))
    if kind == "array":
        condition = condition.to_numpy()
    elif kind == "index":
        condition.index = data.draw(indexes(rows))
    frame = pd.DataFrame({"a": range(rows)}, index=index)
    for pair in ((column, other), (other, column)):
        if any(value is None for value in pair):
            continue
        chosen = step("numpy.where", Ref(0), Ref(1), Ref(2))
        check([chosen], [condition, *pair])
        check([chosen, step("stratum.with_column", Ref(3), "t", Ref(4))], [condition, *pair, frame])
    for op in (".where", ".mask"):
        check([step(op, Ref(0), Ref(1), Ref(2))], [column, condition, other])
        check([step(op, Ref(0), Ref(1))], [column, condition])
    check([step(".fillna", Ref(0), "none")], [column])
    check([step(".replace", Ref(0), {"a": "b", "é": "a"})], [column])


def test_runs_natively():
    rows = 100
    dates = pd.Series(pd.date_range("2024-01-01", periods=rows // 4).repeat(4))
    category = pd.Series(["x", "y", None, "x"] * (rows // 4), dtype="category")
    texts = np.where(np.arange(rows) % 3 == 0, "short", "a longer one")
    frame = pd.DataFrame({"a": range(rows)})
    counters.reset()
    for column in (category, dates, dates.dt.to_period("M")):
        check([step(".astype", Ref(0), str)], [column])
    check([step("stratum.with_column", Ref(0), "t", Ref(1))], [frame, texts])
    check([step(".assign", Ref(0), t=Ref(1))], [frame, texts])
    words, early = category.astype("str"), frame["a"] < 7
    for op in (".where", ".mask"):
        check([step(op, Ref(0), Ref(1), "rare")], [words, early])
    chosen = step("numpy.where", Ref(0), Ref(1), "rare")
    check([chosen, step("stratum.with_column", Ref(2), "t", Ref(3))], [early, words, frame])
    assert not fallbacks()
