"""Strings tested row by row: what is cheap, and would not pay for numbering them first.

Of each test, pandas itself is asked once what a string that passes gives, one that does not, and
none; kernels find which of these each row has.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import numpy as np
import pandas as pd

from stratum_dask.ops.direct.arrow import chunks_of, native
from stratum_dask.ops.direct.dictionary import UNKNOWN, series_like
from stratum_dask.ops.direct.lengths import refuse_few
from stratum_dask.ops.memory import empty
from stratum_dask.ops.steps import Unsupported, attempt

#: The test behind each call on a Series of strings and something, and the call itself.
_TESTS: dict[str, tuple[str, Callable[[pd.Series, Any], pd.Series]]] = {
    "eq": ("equals", operator.eq),
    "ne": ("equals", operator.ne),
    "isin": ("equals", lambda series, values: series.isin(list(values))),
    "startswith": ("startswith", lambda series, text: series.str.startswith(text)),
    "endswith": ("endswith", lambda series, text: series.str.endswith(text)),
}
BY_ROW = frozenset((*_TESTS, "len"))
"""What `by_row` runs."""

#: How many texts are compared with each row.
_MANY_TEXTS = 8


def by_row(name: str, series: pd.Series, *args: Any) -> pd.Series:
    """Run a call on strings that looks at each row once.

    Parameters
    ----------
    name : str
        One of `BY_ROW`.
    series : Series
        Of strings.
    *args
        What the call takes; a set or list for "isin".

    Raises
    ------
    Unsupported
        If pandas has to run it.

    Examples
    --------
    >>> column = pd.Series(["a", None, "bc"] * 1_000, dtype="str")
    >>> by_row("eq", column, "bc").tolist()[:3], by_row("len", column).tolist()[:3]
    ([False, False, True], [1.0, nan, 2.0])
    """
    chunks = chunks_of(series)
    refuse_few(len(series), "strings")
    if name == "len" and not args:
        return _lengths(series, chunks)
    if name not in _TESTS or len(args) != 1:
        raise Unsupported(UNKNOWN)
    (argument,) = args
    key = argument if type(argument) is str else frozenset(argument)
    texts = (key,) if type(key) is str else tuple([text for text in key if text is not None])
    if not 0 < len(texts) <= _MANY_TEXTS or not all(type(text) is str for text in texts):
        raise Unsupported("no texts, many, or something else")
    answers = attempt(_answers, name, key, texts)
    out = empty(len(series), np.bool_)
    native(chunks).matches(_TESTS[name][0], list(texts), answers, out)
    return series_like(series, out, series.name)


@lru_cache(maxsize=1024)
def _answers(
    name: str, argument: str | frozenset[str | None], texts: tuple[str, ...]
) -> tuple[bool, bool, bool]:
    """Return what pandas answers for a string that passes, one that does not, and none."""
    test, call = _TESTS[name]
    other = "x" * (max(map(len, texts)) + 1) if test == "equals" else ""
    passed = test != "equals" and "" in texts  # by all strings
    strings = pd.Series([*texts, other, None], dtype=pd.StringDtype("pyarrow", na_value=np.nan))
    found, without = call(strings, argument), call(strings[:-1], argument)
    *yes, no, missing = found.tolist()
    if found.dtype != bool or without.dtype != bool or without.tolist() != [*yes, no]:
        raise Unsupported("answers that depend on other rows")
    if len(set(yes)) != 1 or (no == yes[0]) is not passed:
        raise Unsupported("answers that depend on more")
    return yes[0], no, missing


def _lengths(series: pd.Series, chunks: Any) -> pd.Series:
    if not _counts_code_points():
        raise Unsupported("lengths of another kind")
    out = empty(len(series), np.float64 if chunks.null_count else np.int64)
    native(chunks).lengths(out)
    return series_like(series, out, series.name)


@cache
def _counts_code_points() -> bool:
    """Tell whether pandas counts code points, as floats where a string is missing."""
    strings = pd.Series(["é", "", None], dtype=pd.StringDtype("pyarrow", na_value=np.nan))
    some, all_there = strings.str.len(), strings[:2].str.len()
    return bool(
        some.dtype == np.float64
        and some[:2].tolist() == [1, 0]
        and np.isnan(some[2])
        and all_there.dtype == np.int64
        and all_there.tolist() == [1, 0]
    )
