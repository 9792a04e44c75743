"""Fields of dates: ``series.dt.year``."""

from __future__ import annotations

import math

from pandas._libs.tslibs import NaT
from pandas.core.arrays import DatetimeArray

from stratum_dask.ops.direct.dates import FLAGS, NUMBERS, OF_TIME, SYNONYMS
from stratum_dask.ops.frames.builder import Builder
from stratum_dask.ops.frames.symbols import Column, Dates, Unsupported


def accessor(column: Column, name: str) -> Dates:
    """Lower ``series.dt``."""
    if name != "dt" or column.unit is None or column.index is None:
        raise Unsupported("attribute")
    return Dates(column)


def field(b: Builder, column: Column, name: str) -> Column:
    """Lower a field of the ``.dt`` accessor, such as ``dates.year``."""
    if name in SYNONYMS:
        canonical = SYNONYMS[name]
        if vars(DatetimeArray)[name] is not vars(DatetimeArray)[canonical]:
            raise Unsupported("a name of which pandas may warn")
        name = canonical
    if name not in FLAGS and name not in NUMBERS:
        raise Unsupported("attribute")
    times, missing = b.load_dates(column)
    unit = column.unit
    of = times if name in OF_TIME else b.add("day", "i32", times, unit)
    node = b.add("date", "i32", of, name, unit)
    if name in FLAGS:
        dtype = "bool"
        node = b.cast(node, dtype)
        if missing:
            present = b.add("ne", "bool", times, b.const("i64", NaT.value))
            node = b.add("and", "bool", present, node)
    elif missing:
        dtype = "f64"
        absent = b.add("eq", "bool", times, b.const("i64", NaT.value))
        node = b.add("select", dtype, absent, b.const(dtype, math.nan), b.cast(node, dtype))
    else:
        dtype = "i32"
    return Column(dtype, column.length, node, index=column.index, name=column.name)
