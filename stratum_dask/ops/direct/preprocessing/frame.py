"""Frames as blocks of columns, and small frames from which estimators learn what they can meet."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from stratum_dask.ops.direct.arrow import text_of
from stratum_dask.ops.direct.dictionary import Dictionary
from stratum_dask.ops.direct.preprocessing.cells import (
    Block,
    Cell,
    Number,
    Other,
    Text,
)
from stratum_dask.ops.steps import Unsupported

_NUMBERS = frozenset(
    np.dtype(name)
    for name in ("float64", "int64", "int32", "int16", "int8", "uint32", "uint16", "uint8", "bool")
)
_SPREAD = 1024


def block_of(frame: Any) -> Block:
    """Return the columns of a frame; nothing is copied or looked through yet.

    Raises
    ------
    Unsupported
        If it is no plain frame with distinct names that are strings.
    """
    if type(frame) is not pd.DataFrame:
        raise Unsupported(f"is given {type(frame).__name__}")
    names = tuple(frame.columns)
    if not names or len(set(names)) != len(names) or not all(type(name) is str for name in names):
        raise Unsupported("column names")
    if not len(frame):
        raise Unsupported("no rows")
    return Block(tuple(_cell(frame, i) for i in range(len(names))), len(frame), names)


def refuse_other_columns(estimator: Any, block: Block) -> None:
    """Refuse rows of other columns than an estimator was fitted on.

    Raises
    ------
    Unsupported
        If names or their order differ, or one of both has none.
    """
    names = getattr(estimator, "feature_names_in_", None)
    same = block.names == (None if names is None else tuple(names))
    if not same or len(block.cells) != estimator.n_features_in_:
        raise Unsupported("other columns than it was fitted on")


def _cell(frame: pd.DataFrame, position: int) -> Cell:
    values: Any = frame._mgr.iget_values(position)
    dtype = values.dtype
    if isinstance(dtype, np.dtype):
        if dtype not in _NUMBERS:
            return Other(f"dtype {dtype}")
        if not values.flags.c_contiguous:
            return Other("rows are stored next to each other")
        return Number(np.require(values, requirements="A"))
    try:
        text_of(values)
    except Unsupported as why:
        return Other(str(why))
    return Text(values)


def sample(frame: pd.DataFrame, used: Block, encoded: frozenset[str]) -> pd.DataFrame:
    """Return a small frame with every distinct string of the used columns, and a number in each.

    Parameters
    ----------
    frame : DataFrame
        All columns; the others keep their dtypes, with any values.
    used : Block
        The columns that count.
    encoded : frozenset of str
        Those of which distinct integers count, too.

    Raises
    ------
    Unsupported
        If a used column is missing throughout, or not understood.
    """
    chosen: set[int] = set()
    for name, cell in zip(used.names or (), used.cells, strict=True):
        if isinstance(cell, Number) and name in encoded:
            chosen.update(integers(cell).firsts.tolist())
        elif isinstance(cell, Number):
            chosen.add(_present(cell.values))
        elif isinstance(cell, Text):
            found = cell.dictionary
            if not found.count:
                raise Unsupported("a column of missing values")
            chosen.update(found.firsts.tolist())
        elif isinstance(cell, Other):
            raise Unsupported(cell.reason)
    rows = np.array(sorted(chosen), dtype=np.intp)
    small = frame.iloc[: len(rows)].copy(deep=False)
    for name, cell in zip(used.names or (), used.cells, strict=True):
        if isinstance(cell, Number):
            small[name] = cell.values[rows]
        elif isinstance(cell, Text):
            small[name] = cell.take(rows)
    return small


def integers(cell: Number) -> Dictionary:
    """Return the distinct values of a column that must hold integers to which nothing was done."""
    if cell.values.dtype.kind not in "iu" or cell.steps:
        raise Unsupported("encodes numbers that are no integers")
    return cell.dictionary


def _present(values: np.ndarray) -> int:
    """Return the first row that is not NaN."""
    if values.dtype.kind != "f":
        return 0
    for part in (values[:_SPREAD], values):
        present = ~np.isnan(part)
        if present.any():
            return int(present.argmax())
    raise Unsupported("a column of missing values")
