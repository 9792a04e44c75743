"""Strings put together row by row."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pandas as pd
from pandas.core.ops.common import get_op_result_name
from pandas.core.strings.accessor import StringMethods

from stratum_dask import _native
from stratum_dask.ops.direct.arrow import chunks_of, native, write_strings
from stratum_dask.ops.direct.dictionary import by_string, series_like
from stratum_dask.ops.direct.lengths import refuse_few
from stratum_dask.ops.steps import Unsupported, attempt


def add(left: Any, right: Any, /) -> pd.Series:
    """Run ``left + right`` of two columns of strings, or a column and a string.

    Examples
    --------
    >>> column = pd.Series(["a", None] * 1_000, dtype="str")
    >>> add(add(column, "-"), column).tolist()[:2]
    ['a-a', nan]
    """
    if type(left) is str:
        column, call = right, lambda strings: left + strings
    elif type(right) is str:
        column, call = left, lambda strings: strings + right
    elif type(right) is pd.Series:
        return _join(left, get_op_result_name(left, right), [left, right])
    else:
        raise Unsupported(f"{type(right).__name__} is no column or string")
    with suppress(Unsupported):  # of strings with numbers the result has them, too
        return by_string(column, call, known=True)
    return _join(column, column.name, [left, right])


def cat(accessor: StringMethods, others: Any, sep: Any = None) -> pd.Series:
    """Run ``series.str.cat(other, sep=...)`` of two columns."""
    series = accessor._orig
    if type(others) is not pd.Series:
        raise Unsupported(f"joined with {type(others).__name__}")
    return _join(series, series.name, [series, *([] if sep is None else [sep]), others])


def _join(like: pd.Series, name: Any, parts: list[Any]) -> pd.Series:
    """Return a Series over the rows of one part, missing where any part is."""
    rows, room = len(like), 0
    sources: list[_native.Text | str] = []
    refuse_few(rows, "strings")
    for part in parts:
        if type(part) is str:
            room += rows * len(attempt(part.encode))
            sources.append(part)
            continue
        text = native(chunks_of(part))
        if part.index is not like.index and not part.index.identical(like.index):
            raise Unsupported("different index")
        room += text.bytes()
        sources.append(text)
    values = write_strings(
        like.array, rows, room, lambda *outputs: _native.Text.join(sources, *outputs)
    )
    return series_like(like, values, name)


APPENDING: dict[tuple[str, type], Callable[..., Any]] = {
    (".cat", StringMethods): cat,
    ("operator.add", pd.Series): add,
    ("operator.add", str): add,
}
"""The entries of the table of direct calls."""
