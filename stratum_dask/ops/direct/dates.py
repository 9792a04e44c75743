"""Dates: parsing strings, and the fields of the ``.dt`` accessor."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import numpy as np
import pandas as pd
from pandas._libs.tslibs.parsing import guess_datetime_format
from pandas.core.arrays import DatetimeArray
from pandas.core.indexes.accessors import DatetimeProperties

from stratum_dask import _native
from stratum_dask.ops.direct.arrow import chunks_of, first_string, native, plain
from stratum_dask.ops.direct.keys import by_number, encode_dates
from stratum_dask.ops.direct.lengths import refuse_few
from stratum_dask.ops.memory import empty
from stratum_dask.ops.steps import Unsupported, attempt

NUMBERS = (
    "year",
    "month",
    "day",
    "hour",
    "minute",
    "second",
    "microsecond",
    "nanosecond",
    "day_of_week",
    "day_of_year",
    "quarter",
    "days_in_month",
)
"""The fields that are numbers."""
FLAGS = (
    "is_leap_year",
    "is_month_start",
    "is_month_end",
    "is_quarter_start",
    "is_quarter_end",
    "is_year_start",
    "is_year_end",
)
"""The fields that are true or false."""
SYNONYMS = {
    "weekday": "day_of_week",
    "dayofweek": "day_of_week",
    "dayofyear": "day_of_year",
    "daysinmonth": "days_in_month",
}
"""Other names of fields, of which some versions of pandas warn."""
OF_TIME = frozenset(("hour", "minute", "second", "microsecond", "nanosecond"))
"""The fields that follow from the time of day; the others follow from the day."""
FIELDS: frozenset[str] = frozenset((*NUMBERS, *FLAGS, *SYNONYMS))
"""The attributes of ``.dt`` that have a native form."""

_ISO = re.compile(r"[1-9]\d{3}-\d\d-\d\d(?:([T ])\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z)?)?", re.ASCII)
#: Formats in which every part has one width if it is written in full. The fraction has not, and is
#: the last part; what stands before it tells it from other digits.
_FIXED = re.compile(r"(?:%[YmdHMS]|[^%])*(?:\.%f)?[^%]*(?:%z)?", re.ASCII)


# -- parsing -----------------------------------------------------------------------------------


def to_datetime(
    arg: pd.Series,
    errors: str = "raise",
    dayfirst: Any = False,
    yearfirst: Any = False,
    utc: Any = False,
    format: Any = None,
    *,
    cache: Any = True,
) -> pd.Series:
    """Run ``pandas.to_datetime`` on strings of a fixed layout.

    Strings that don't have it, or are no dates, are left to pandas and its errors.

    Examples
    --------
    >>> to_datetime(pd.Series(["2013-01-01 05:00", None], dtype="str")).dt.hour.tolist()
    [5.0, nan]
    """
    # What doesn't parse is refused here, so that it makes no difference how errors are treated.
    if errors not in ("raise", "coerce") or dayfirst is not False or yearfirst is not False:
        raise Unsupported("errors, dayfirst or yearfirst")
    if type(utc) is not bool or not (format is None or type(format) is str):
        raise Unsupported("utc is no bool or format no string")
    chunks = chunks_of(arg)
    if format is None:
        format = _guess(first_string(chunks))
    elif not _FIXED.fullmatch(format) or not format.isascii():
        raise Unsupported("format without fixed widths")
    text = native(chunks)
    unit, out = "us", empty(len(arg), "int64")
    parsed = text.parse_dates(format, unit, out)
    if parsed is not None and parsed[1] > 6:
        unit = "ns"
        parsed = text.parse_dates(format, unit, out)
    if parsed is None:
        raise Unsupported("not all dates of the format")
    if parsed[0] == 0:
        raise Unsupported("no dates")
    dates: Any = out.view(f"M8[{unit}]")
    if utc or format.endswith("%z"):
        dates = DatetimeArray._simple_new(dates, dtype=pd.DatetimeTZDtype(unit, "UTC"))
    return pd.Series(dates, index=arg.index, name=arg.name, copy=False)


@lru_cache(maxsize=64)  # a third of a millisecond each time
def _guess(first: str | None) -> str:
    """Return the format that pandas finds in the first string, if it is an ISO one."""
    found = _ISO.fullmatch(first) if first is not None else None
    if found is None:
        raise Unsupported("not an ISO date")
    separator, seconds, fraction, zone = found.groups()
    format = "%Y-%m-%d"
    if separator:
        format += f"{separator}%H:%M"
    if seconds:
        format += ":%S.%f" if fraction else ":%S"
    if zone:
        format += "%z"
    try:
        guessed = guess_datetime_format(first)
    except ValueError as error:
        raise Unsupported("not a date") from error
    if guessed != format:
        raise Unsupported("not an ISO date")
    return format


# -- fields ------------------------------------------------------------------------------------


def attribute(accessor: DatetimeProperties, name: str, /) -> pd.Series:
    """Return a field of dates, such as ``series.dt.year``.

    Examples
    --------
    >>> dates = pd.Series(["2024-02-29", None], dtype="datetime64[us]")
    >>> attribute(dates.dt, "day").tolist(), attribute(dates.dt, "is_leap_year").tolist()
    ([29.0, nan], [True, False])
    """
    if name == "date":
        return _days(accessor)
    if name not in FIELDS:
        raise Unsupported("attribute")
    series = _dates(accessor)
    if name in SYNONYMS:
        getattr(series.iloc[:0].dt, name)  # for the warning
        name = SYNONYMS[name]
    if name in FLAGS:
        result, _ = _field(series, name, "bool")
    else:
        result, missing = _field(series, name, "int32")
        if missing:
            result, _ = _field(series, name, "float64")
    return pd.Series(result, index=series.index, name=accessor.name, copy=False)


def _days(accessor: DatetimeProperties) -> pd.Series:
    """Return ``series.dt.date``: one object for each day, which all its rows have."""
    refuse_few(len(accessor._parent), "dates as strings")
    days = normalize(accessor)
    codes, firsts = encode_dates(days)
    objects = days.iloc[firsts].dt.date.array  # dates again if all are missing
    return pd.Series(objects.take(codes), index=days.index, name=days.name, copy=False)


def accessor_attribute(series: pd.Series, accessor: str, name: str, /) -> pd.Series:
    """Return a field of dates as Dask's own function does, which is given the accessor's name.

    Examples
    --------
    >>> accessor_attribute(pd.Series(["2024-02-29"], dtype="datetime64[us]"), "dt", "day").tolist()
    [29]
    """
    dates = attempt(getattr, series, accessor)
    if type(dates) is not DatetimeProperties:
        raise Unsupported("no dates")
    return attribute(dates, name)


def isocalendar(read: frozenset[str] | None, accessor: DatetimeProperties) -> pd.DataFrame:
    """Return the ISO year, week and day of dates of which none is missing.

    Examples
    --------
    >>> isocalendar(None, pd.Series(["2010-01-03"], dtype="datetime64[s]").dt).iloc[0].tolist()
    [2009, 53, 7]
    """
    series = _dates(accessor)
    like = _iso_dtypes()
    columns = {}
    for name, field in (("year", "iso_year"), ("week", "iso_week"), ("day", "day_of_week")):
        kind = like[name].numpy_dtype
        if read is not None and name not in read:
            columns[name] = like[name].construct_array_type()(
                np.zeros(len(series), kind), np.zeros(len(series), dtype=bool)
            )
            continue
        values, missing = _field(series, field, kind)
        if missing:
            raise Unsupported("missing dates")
        values += kind.type(name == "day")
        mask = np.zeros(len(values), dtype=bool)
        columns[name] = like[name].construct_array_type()(values, mask)
    return pd.DataFrame(columns, copy=False).set_index(series.index)


@cache
def _iso_dtypes() -> Any:
    return pd.Series([], dtype="M8[us]").dt.isocalendar().dtypes


def strftime(accessor: DatetimeProperties, date_format: Any) -> pd.Series:
    """Write dates as strings, each distinct one once.

    Examples
    --------
    >>> dates = pd.Series(["2024-02-29", None] * 1_000, dtype="datetime64[us]")
    >>> strftime(dates.dt, "%d.%m.").tolist()[:2]
    ['29.02.', nan]
    """
    if type(date_format) is not str:
        raise Unsupported("format is no string")
    return by_number(_dates(accessor), lambda dates: dates.dt.strftime(date_format))


def normalize(accessor: DatetimeProperties) -> pd.Series:
    """Set the time of dates to midnight.

    Examples
    --------
    >>> normalize(pd.Series(["2010-01-03 10:00"], dtype="datetime64[s]").dt).dt.hour.tolist()
    [0]
    """
    series = _dates(accessor)
    values = _integers(series)
    out = empty(len(values), "int64")
    try:
        _native.start_of_day(values, series.array.unit, out)
    except OverflowError as error:
        raise Unsupported("date out of range") from error
    dates = DatetimeArray._simple_new(out.view(f"M8[{series.array.unit}]"), dtype=series.dtype)
    return pd.Series(dates, index=series.index, name=accessor.name, copy=False)


def _dates(accessor: Any) -> pd.Series:
    """Return the Series of an accessor, if its dates are naive or in UTC."""
    if accessor.orig is not None:
        raise Unsupported("categories of dates")
    series: pd.Series = accessor._parent
    plain(series)
    if isinstance(series.dtype, pd.DatetimeTZDtype) and str(series.dtype.tz) != "UTC":
        raise Unsupported("time zone")
    return series


def _integers(series: pd.Series) -> Any:
    return np.require(series.array.asi8, requirements=("C", "A"))


def _field(series: pd.Series, name: str, dtype: Any) -> tuple[Any, bool]:
    out = empty(len(series), dtype)
    try:
        missing = _native.date_fields(_integers(series), series.array.unit, name, out)
    except OverflowError as error:
        raise Unsupported("date out of range") from error
    return out, missing


DIRECT: dict[tuple[str, type], Callable[..., Any]] = {
    ("pandas.to_datetime", pd.Series): to_datetime,
    ("getattr", DatetimeProperties): attribute,
    ("dask.accessor", pd.Series): accessor_attribute,
    (".strftime", DatetimeProperties): strftime,
    (".normalize", DatetimeProperties): normalize,
}
"""The entries of the table of direct calls."""

PARTIAL: dict[tuple[str, type], Callable[..., Any]] = {
    (".isocalendar", DatetimeProperties): isocalendar,
}
"""The entries that take first which columns of their result are read."""
