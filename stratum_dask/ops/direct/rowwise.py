"""Medians of rows, for which pandas sorts positions and masks what is missing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pandas.core import nanops

from stratum_dask import _native
from stratum_dask.ops.frames import blocks
from stratum_dask.ops.frames.environment import reports, takes_medians_of_rows_at_once
from stratum_dask.ops.frames.symbols import CODES
from stratum_dask.ops.memory import empty
from stratum_dask.ops.steps import Unsupported

#: From so many columns on NumPy takes each row by itself, in another way.
_MANY_COLUMNS = 600

#: Of a single row pandas makes a column first, whose median NumPy finds in another way.
_TWO_ROWS = 2


def median(
    frame: pd.DataFrame, *, axis: Any, skipna: Any = True, numeric_only: Any = False
) -> pd.Series:
    """Run ``frame.median(axis=1)``.

    Examples
    --------
    >>> frame = pd.DataFrame({"a": [1, 2], "b": [2.5, None], "c": [7, 6]})
    >>> median(frame, axis=1).tolist()
    [2.5, 4.0]
    """
    if (type(axis), axis) not in ((int, 1), (str, "columns")):
        raise Unsupported("axis")
    if type(skipna) is not bool or type(numeric_only) is not bool:
        raise Unsupported("skipna or numeric_only is no bool")
    if not blocks.plain(frame):
        raise Unsupported("attrs or flags")
    if len(frame) < _TWO_ROWS:
        raise Unsupported("few rows")
    if nanops._USE_BOTTLENECK:
        raise Unsupported("pandas uses bottleneck")
    columns, dtypes = [], []
    for position, dtype in enumerate(frame.dtypes):
        if dtype in CODES:
            columns.append(blocks.column_values(frame, position))
            dtypes.append(dtype)
        elif not numeric_only or not blocks.is_passive(dtype):
            raise Unsupported(f"dtype {dtype}")
    if not 0 < len(columns) < _MANY_COLUMNS:
        raise Unsupported("no columns, or many")
    kinds = {dtype.kind == "b" for dtype in dtypes}
    common = np.result_type(*dtypes)
    by_row = len(kinds) > 1 or (not skipna and common == np.float32)
    if by_row and not takes_medians_of_rows_at_once():
        raise Unsupported("pandas takes medians row by row")
    # pandas makes objects of bools and numbers together, and of their medians.
    dtype = common if common.kind == "f" and len(kinds) == 1 else np.dtype(np.float64)
    out = empty(len(frame), dtype)
    raised = _native.row_medians(columns, skipna, out)
    if reports(raised):
        raise Unsupported("floating point error that NumPy reports")
    values = out if len(kinds) == 1 else out.astype(object)
    return blocks.make_series(values, frame.index, None)


ROWWISE = {(".median", pd.DataFrame): median}
"""The entries for reductions of rows."""
