"""Series with one value for each column of a frame that exist before a program is made.

Medians that several tasks use arrive as Series. They are short, so a program has their values
built in, and serves no others.
"""

from __future__ import annotations

import pandas as pd

from stratum_dask.ops.frames.builder import Builder
from stratum_dask.ops.frames.schema import labels_of
from stratum_dask.ops.frames.symbols import DTYPES, Column, Labels, Row, Scalar, Unsupported


def series_of(b: Builder, column: Column) -> pd.Series:
    """Return the Series that a column stands for; the program then serves only its values.

    Raises
    ------
    Unsupported
        If it is no short Series that exists already.
    """
    source = column.source
    if source is None or source.position is not None or column.index is None:
        raise Unsupported("Series operand of a frame")
    if column.dtype not in DTYPES:
        raise Unsupported("Series operand of a frame")
    return b.series(source)


def row_of(b: Builder, column: Column) -> Row:
    """Return the values of a short Series as scalars by column label."""
    series = series_of(b, column)
    values, _ = labels_of(series.index)
    if not values:
        raise Unsupported("Series operand of a frame")
    dtype = column.dtype
    assert dtype is not None
    scalars = tuple([Scalar(dtype, b.const(dtype, value)) for value in series.tolist()])
    return Row(Labels(values, series.index, series.index), scalars, dtype, series.name)
