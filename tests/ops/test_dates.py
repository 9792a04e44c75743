"""Dates: native and pandas can't be told apart, and what should run natively does."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pandas.core.arrays import DatetimeArray

from stratum_dask.ops import counters
from stratum_dask.ops.direct.dates import FIELDS, FLAGS, NUMBERS
from stratum_dask.ops.frames import FusedFrame
from stratum_dask.ops.steps import Ref, Step
from tests.ops.generate import indexes
from tests.ops.oracle import check, every_length, step

UNITS = ["s", "ms", "us", "ns"]
LAYOUTS = [
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M:%S%z",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S.%f%z",
]
OTHER_LAYOUTS = [
    "%d/%m/%Y",
    "%m/%d/%Y %H:%M",
    "%Y/%m/%d",
    "%Y%m%d",
    "%Y%m%d%H%M%S",
    "%Y-%m",
    "%d.%m.%Y %H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%SZ",
    "%H:%M %m-%Y",
    "%Y-%m-%d %H",
]


def dates_of(unit: str) -> st.SearchStrategy[int]:
    limit = 2**63 - 1
    if unit != "ns":
        limit = min(limit, 3 * 10**11 * {"s": 1, "ms": 10**3, "us": 10**6}[unit])
    common = st.integers(-(10**9), 2 * 10**9).map(
        lambda s: s * {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    )
    return st.one_of(common, st.integers(-limit, limit))


@st.composite
def columns(draw: st.DrawFn) -> pd.Series:
    """A column of dates, with or without missing ones, naive or in UTC."""
    unit = draw(st.sampled_from(UNITS))
    missing = st.just(np.iinfo("int64").min)
    items = st.one_of(dates_of(unit), missing) if draw(st.booleans()) else dates_of(unit)
    values = draw(st.lists(items, max_size=9))
    index = draw(indexes(len(values)))
    series = pd.Series(np.array(values, dtype="int64").view(f"M8[{unit}]"), index=index, name="t")
    if draw(st.integers(0, 3)) == 0:
        return series.dt.tz_localize("UTC")
    return series[::2] if draw(st.integers(0, 3)) == 0 else series


def fields(name: str) -> list[Step]:
    return [step("getattr", Ref(0), "dt"), step("getattr", Ref(1), name)]


def ran_natively(steps: list[Step], *inputs: Any) -> bool:
    counters.reset()
    check(steps, list(inputs))
    return not counters.snapshot().fallbacks


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@given(columns(), st.sampled_from(sorted(FIELDS)))
def test_fields(column, name):
    assert ran_natively(fields(name), column)
    assert ran_natively([step("dask.accessor", Ref(0), "dt", name)], column)


def waves(name: str) -> list[Step]:
    """A field of the column ``t`` of a frame, and what is made of it, as columns."""
    return [
        step("operator.getitem", Ref(0), "t"),
        step("getattr", Ref(1), "dt"),
        step("getattr", Ref(2), name),
        step("operator.mul", Ref(3), 0.26),
        step("numpy.sin", Ref(4)),
        step("numpy.sqrt", Ref(3)),
        step("operator.floordiv", Ref(3), 5),
        step("stratum.with_column", Ref(0), "field", Ref(3)),
        step("stratum.with_column", Ref(8), "wave", Ref(5)),
        step("stratum.with_column", Ref(9), "root", Ref(6)),
        step("stratum.with_column", Ref(10), "part", Ref(7)),
    ]


@given(columns(), st.sampled_from(NUMBERS))
def test_what_is_made_of_fields(column, name):
    assume(name != "year" or not (column.dt.year < 0).any())  # NumPy warns of their roots
    assert ran_natively(waves(name), pd.DataFrame({"a": 1, "t": column}))


@given(columns(), st.data())
def test_one_plan_serves_columns_with_and_without_missing_dates(column, data):
    name = data.draw(st.sampled_from(sorted(NUMBERS + FLAGS)))
    fused = FusedFrame(tuple(fields(name)), 1)
    for one in (column, column.dropna(), column):
        pd.testing.assert_series_equal(fused(one), getattr(one.dt, name), check_exact=True)


def test_fields_of_several_columns_of_a_frame():
    days = pd.date_range("1999-12-30", periods=3_000, freq="7h", unit="s")
    frame = pd.DataFrame({"a": days, "b": days.tz_localize("UTC"), "c": days.as_unit("ns")})
    frame.iloc[5:9, 2] = pd.NaT
    steps = []
    for name in frame:
        steps += [
            step("operator.getitem", Ref(0), name),
            step("getattr", Ref(len(steps) + 1), "dt"),
            step("getattr", Ref(len(steps) + 2), "dayofweek"),
        ]
    steps.append(step("operator.add", Ref(3), Ref(6)))
    steps.append(step("operator.add", Ref(10), Ref(9)))
    assert ran_natively(steps, frame)


def test_an_accessor_that_a_later_step_asks_for_more():
    column = pd.Series(pd.date_range("2024-12-30", periods=50, tz="UTC"), name="t")
    steps = [*fields("day"), step("getattr", Ref(1), "date")]
    assert not ran_natively(steps, column)
    check([*fields("day")[:1], step(".isocalendar", Ref(1))], [column])


@given(columns())
def test_isocalendar(column):
    check([step("getattr", Ref(0), "dt"), step(".isocalendar", Ref(1))], [column])


@given(columns())
def test_normalize(column):
    check([step("getattr", Ref(0), "dt"), step(".normalize", Ref(1))], [column])


@given(columns())
def test_days_as_objects(column):
    check(fields("date"), [column])
    if len(column):
        native = ran_natively(fields("date"), column.iloc[np.arange(2_100) % len(column)])
        assert native or "out of range" in str(
            counters.snapshot()
        )  # midnight before the first date


def test_all_fields_of_pandas_are_known():
    assert set(DatetimeArray._field_ops) | set(DatetimeArray._bool_ops) <= FIELDS


def test_other_time_zones_and_attributes_are_left_to_pandas():
    column = pd.Series(pd.date_range("2024-03-30", periods=4, freq="12h", tz="Europe/Berlin"))
    assert not ran_natively(fields("hour"), column)
    assert not ran_natively(fields("date"), pd.Series(["2024-01-01"], dtype="M8[s]"))
    assert not ran_natively(fields("nonsense"), pd.Series(["2024-01-01"], dtype="M8[s]"))
    far = pd.Series([2**62], dtype="M8[s]")
    assert not ran_natively(fields("day"), far)
    labelled = pd.Series(["2024-01-01"], dtype="M8[s]")
    labelled.attrs["a"] = 1
    assert not ran_natively(fields("day"), labelled)


def test_what_is_no_field_is_pandas_beside_native_calls():
    frame = pd.DataFrame({"e": pd.to_datetime(["2024-02-29", "2023-12-31"]), "f": [1.5, -2.0]})
    steps = [
        step("operator.getitem", Ref(0), "f"),
        step(".abs", Ref(1)),
        step("operator.getitem", Ref(0), "e"),
        step("getattr", Ref(3), "dt"),
        step("getattr", Ref(4), "date"),
        step("stratum.with_column", Ref(0), "f", Ref(2)),
    ]
    check(steps, [frame])


def test_dates_in_categories_are_left_to_pandas():
    column = pd.Series(["2024-01-01", "2024-01-01"], dtype="M8[s]").astype("category")
    assert not ran_natively(fields("day"), column)


def test_a_column_of_a_frame():
    frame = pd.DataFrame({"a": [1, 2], "t": pd.to_datetime(["2024-12-30", "2023-01-01"])})
    steps = [
        step("operator.getitem", Ref(0), "t"),
        step("getattr", Ref(1), "dt"),
        step(".isocalendar", Ref(2)),
        step("getattr", Ref(3), "week"),
    ]
    check(steps, [frame])


@given(columns(), st.sampled_from(["week", "year", "day"]), st.booleans())
def test_one_column_of_isocalendar(column, name, attribute):
    steps = [
        step("getattr", Ref(0), "dt"),
        step(".isocalendar", Ref(1)),
        step("getattr" if attribute else "operator.getitem", Ref(2), name),
    ]
    check(steps, [column])
    check([*steps, step(".astype", Ref(3), "int64")], [column])


@given(columns(), st.sampled_from(["%Y-%m", "%H", "", "%", "%d.%m.%y"]))
def test_dates_as_strings(column, date_format):
    with pytest.MonkeyPatch.context() as patch:
        every_length(patch)
        steps = [step("getattr", Ref(0), "dt"), step(".strftime", Ref(1), date_format)]
        check(steps, [column])
        check([*steps, step(".value_counts", Ref(2))], [column])
        twice = pd.concat([column] * 4)
        check([*steps, step(".astype", Ref(2), "category")], [twice])


def test_dates_as_strings_natively():
    column = pd.Series(pd.to_datetime(["2024-12-30", None, "2023-01-01"] * 1_000))
    assert ran_natively([*fields("dt")[:1], step(".strftime", Ref(1), "%Y-%m")], column)


# -- parsing -----------------------------------------------------------------------------------

MOMENTS = st.one_of(
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)),
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)),
    st.sampled_from(
        [datetime(2024, 2, 29), datetime(1969, 12, 31, 23, 59, 59), datetime(1600, 2, 29)]
    ),
)
NOISE = [
    "",
    "nan",
    "NaT",
    "2023-02-30",
    "2023-2-3",
    "2023-02-03 ",
    " 2023-02-03",
    "0000-01-01",
    "2023-13-01",
    "2023-01-01 24:00:00",
    "2023-01-01 23:59:60",
    "2023-01-01T00:00:00+01:00",
    "2023-01-01 00:00:00.1234567891",
    "2023",
    "٢٠٢٣-01-01",
    "\0" * 10,
    "+023-01-01",
]


def write(moment: datetime, layout: str, digits: str) -> str:
    """Format by hand: strftime doesn't fill years up to four digits everywhere."""
    text = layout.replace("%Y", f"{moment.year:04}").replace("%z", "Z")
    for code in "mdHMS":
        text = text.replace(f"%{code}", moment.strftime(f"%{code}"))
    return text.replace("%f", digits)


@st.composite
def texts(draw: st.DrawFn, layouts: list[str], noise: bool = True) -> tuple[pd.Series, str]:
    layout = draw(st.sampled_from(layouts))
    digits = st.text("0123456789", min_size=1, max_size=draw(st.sampled_from([3, 6, 9])))
    items: Any = st.builds(write, MOMENTS, st.just(layout), digits)
    if noise and draw(st.booleans()):
        mixed = st.builds(write, MOMENTS, st.sampled_from(LAYOUTS), digits)
        items = st.one_of(items, items, mixed, st.sampled_from(NOISE))
    if draw(st.booleans()):
        items = st.one_of(items, st.none())
    rows = draw(st.lists(items, max_size=8))
    return chunked(draw, rows), layout


def chunked(draw: st.DrawFn, rows: list[str | None]) -> pd.Series:
    """Rows as a column of one or several chunks, perhaps a slice of a longer one."""
    column = pd.Series(rows, dtype="str", name="text")
    if draw(st.booleans()):
        cut = draw(st.integers(0, len(rows)))
        column = pd.concat([column[:cut], column[cut:]])
    return column[1:] if draw(st.integers(0, 3)) == 0 else column


@given(texts(LAYOUTS))
def test_parsing_without_a_format(case):
    column, _ = case
    check([step("pandas.to_datetime", Ref(0))], [column])


@given(texts([*LAYOUTS, *OTHER_LAYOUTS]), st.sampled_from(["raise", "coerce"]), st.booleans())
def test_parsing_with_a_format(case, errors, utc):
    column, layout = case
    check([step("pandas.to_datetime", Ref(0), format=layout, errors=errors, utc=utc)], [column])


@given(texts(LAYOUTS, noise=False))
def test_full_dates_are_parsed_natively(case):
    column, layout = case
    if column.notna().any():
        in_range = pd.to_datetime(column, format=layout, errors="coerce").notna()
        if (in_range == column.notna()).all():
            assert ran_natively([step("pandas.to_datetime", Ref(0), format=layout)], column)


@pytest.mark.parametrize("first", NOISE)
def test_noise_is_left_to_pandas(first):
    for rows in ([first], [first, "2024-01-01"], ["2024-01-01", first], [None, first]):
        for errors in ("raise", "coerce"):
            column = pd.Series(rows, dtype="str")
            assert not ran_natively([step("pandas.to_datetime", Ref(0), errors=errors)], column)


def test_nothing_to_parse():
    for rows in ([], [None], [None, None]):
        check([step("pandas.to_datetime", Ref(0))], [pd.Series(rows, dtype="str")])


@pytest.mark.parametrize(
    "arguments",
    [
        {"dayfirst": True},
        {"errors": "nonsense"},
        {"format": "%d %B %Y"},
        {"format": "mixed"},
        {"format": "ISO8601"},
        {"format": "%y-%m-%d"},
        {"format": "%H:%M"},
        {"unit": "s"},
        {"origin": "julian"},
        {"exact": False},
        {"nonsense": 1},
    ],
)
def test_other_arguments_are_left_to_pandas(arguments):
    column = pd.Series(["2024-01-02", None], dtype="str")
    assert not ran_natively([step("pandas.to_datetime", Ref(0), **arguments)], column)


def test_many_rows_over_blocks():
    start = datetime(1890, 1, 1)
    rows = [(start + timedelta(hours=7 * i)).strftime("%Y-%m-%dT%H:%M:%SZ") for i in range(5_000)]
    rows[1_500] = None
    column = pd.Series(rows, dtype="str")
    steps = [
        step("pandas.to_datetime", Ref(0)),
        step("getattr", Ref(1), "dt"),
        step("getattr", Ref(2), "day_of_year"),
    ]
    assert ran_natively(steps, column)
    assert ran_natively(steps, column.dropna())
