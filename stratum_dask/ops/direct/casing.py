"""Strings in another case: all bytes at once, where all characters are ASCII."""

from __future__ import annotations

import pandas as pd

from stratum_dask.ops.direct.arrow import chunks_of, native, write_strings
from stratum_dask.ops.direct.dictionary import series_like
from stratum_dask.ops.direct.lengths import refuse_few
from stratum_dask.ops.steps import Unsupported

CASES = frozenset(("lower", "upper", "swapcase", "title", "capitalize"))
"""The methods of ``.str`` that `change_case` runs."""


def change_case(name: str, series: pd.Series) -> pd.Series:
    """Run a method of ``.str`` that changes letters.

    Parameters
    ----------
    name : str
        One of `CASES`.
    series : Series
        Of strings.

    Raises
    ------
    Unsupported
        If pandas has to run it.

    Examples
    --------
    >>> change_case("title", pd.Series(["a bC", None] * 1_000, dtype="str")).tolist()[:2]
    ['A Bc', nan]
    """
    chunks, rows = chunks_of(series), len(series)
    refuse_few(rows, "strings")
    text = native(chunks)
    values = write_strings(
        series.array, rows, text.bytes(), lambda *outputs: text.change_case(name, *outputs)
    )
    if values is None:
        raise Unsupported("letters beyond ASCII")
    return series_like(series, values, series.name)
