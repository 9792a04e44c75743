"""Rows of frames: filters, rows by position, without missing values, without duplicates.

Every entry is told which columns of its result are read at all, and leaves the others out: of
``df[mask][["a", "b"]]`` only two columns are filtered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from pandas._libs import lib

from stratum_dask.ops.direct import arrow
from stratum_dask.ops.direct.gather import pick_numbers, take
from stratum_dask.ops.direct.keys import encode, encode_all
from stratum_dask.ops.frames import blocks
from stratum_dask.ops.frames.symbols import CODES
from stratum_dask.ops.steps import Unsupported

Read = frozenset[str] | None

#: pandas finds duplicates in more columns as quickly as kernels do.
_FEW = 2

_Loc = type(pd.DataFrame().loc)
_ILoc = type(pd.DataFrame().iloc)


def _filter(read: Read, frame: pd.DataFrame, mask: Any, /) -> Any:
    if type(mask) is str or (type(mask) is list and read is None):
        return frame[mask]  # columns as they are, by themselves: pandas shares them
    return _where(frame, _mask(frame, mask), read)


def _filter_series(read: Read, series: pd.Series, mask: Any, /) -> pd.Series:
    if not blocks.plain(series):
        raise Unsupported("attrs or flags")
    positions = _mask(series, mask).nonzero()[0]
    if len(positions) == len(series):
        return series.copy(deep=False)
    return _pick(series, positions)


def _loc(read: Read, indexer: Any, key: Any, /) -> Any:
    value = indexer.obj
    if indexer.axis is not None:
        raise Unsupported("rows along an axis")
    if type(value) is pd.Series:
        return _filter_series(read, value, key)
    if type(key) is tuple and len(key) == 2 and type(key[1]) is str:
        if not value.columns.is_unique or value.columns.nlevels > 1 or key[1] not in value.columns:
            raise Unsupported("no such column")
        return _filter_series(read, value[key[1]], key[0])
    if type(key) is tuple and len(key) == 2 and type(key[1]) is list:
        columns = _columns(value, key[1])
        if len(columns) < len(key[1]):
            raise Unsupported("repeated columns")
        return _where(value[columns], _mask(value, key[0]), read)
    return _where(value, _mask(value, key), read)


def _iloc(read: Read, indexer: Any, key: Any, /) -> Any:
    if indexer.axis is not None:
        raise Unsupported("rows along an axis")
    if type(key) is slice:
        return indexer[key]  # rows as they are: pandas shares them
    return _take(read, indexer.obj, key)


def _take(read: Read, value: Any, positions: Any, /) -> Any:
    """Return rows by position, as an array of int64 says."""
    if not blocks.plain(value):
        raise Unsupported("attrs or flags")
    plain = isinstance(positions, np.ndarray) and positions.dtype == np.int64
    if not plain or positions.ndim != 1:
        raise Unsupported("positions are no array of int64")
    positions = np.require(positions, requirements=("C", "A"))
    if len(positions) and (positions.min() < 0 or positions.max() >= len(value)):
        raise Unsupported("positions from the end, or beyond it")
    if lib.is_range_indexer(positions, len(value)):
        return value.copy(deep=False)
    if type(value) is pd.DataFrame:
        return take(value, positions, read)
    if type(value) is not pd.Series:
        raise Unsupported(f"rows of {type(value).__name__}")
    return _pick(value, positions)


def _pick(series: pd.Series, positions: np.ndarray) -> pd.Series:
    values = blocks.series_values(series)
    if not isinstance(values, np.ndarray):
        picked = arrow.pick(values, positions)
    elif values.dtype in CODES and values.flags.c_contiguous:
        picked = pick_numbers(values, positions)
    else:
        raise Unsupported(f"dtype {values.dtype}")
    return blocks.make_series(picked, series.index.take(positions), series.name)


def _mask(frame: pd.DataFrame | pd.Series, mask: Any) -> np.ndarray:
    """Return what a mask says of each row, if nothing has to be aligned."""
    if type(mask) is pd.Series and mask.dtype == np.bool_:
        index = frame.index
        if mask.index is index or mask.index.is_(index) or mask.index.equals(index):
            values: np.ndarray = blocks.series_values(mask)
            return values
        raise Unsupported("mask has another index")
    if type(mask) is np.ndarray and mask.dtype == np.bool_ and mask.shape == (len(frame),):
        return mask
    raise Unsupported("rows by label, or a mask that is not of plain bools")


def _where(frame: pd.DataFrame, mask: np.ndarray, read: Read) -> pd.DataFrame:
    if not blocks.plain(frame):
        raise Unsupported("attrs or flags")
    positions = mask.nonzero()[0]
    if len(positions) == len(mask):
        return frame.copy(deep=False)
    return take(frame, positions, read)


def _dropna(
    read: Read,
    frame: pd.DataFrame,
    *,
    how: str = "any",
    subset: Any = None,
    ignore_index: bool = False,
) -> pd.DataFrame:
    columns = _columns(frame, subset)
    if how not in ("any", "all") or type(ignore_index) is not bool or not columns:
        raise Unsupported("arguments of dropna")
    looked_at = frame if subset is None else frame[columns]
    return _renumbered(_where(frame, ~_missing(looked_at, how), read), ignore_index)


def _missing(frame: pd.DataFrame, how: str) -> np.ndarray:
    """Return whether any, or all, of each row is missing; block by block, as columns cost more."""
    reduce = np.logical_or if how == "any" else np.logical_and
    missing = np.full(len(frame), how == "all")
    for block in frame._mgr.blocks:
        found = np.asarray(pd.isna(block.values))
        if found.ndim == 2:
            found = reduce.reduce(found, axis=0)
        reduce(missing, found, out=missing)
    return missing


def _drop_duplicates(
    read: Read,
    frame: pd.DataFrame,
    subset: Any = None,
    *,
    keep: str = "first",
    ignore_index: bool = False,
) -> pd.DataFrame:
    columns = _columns(frame, subset)
    if keep not in ("first", "last", False) or type(ignore_index) is not bool or not columns:
        raise Unsupported("arguments of drop_duplicates")
    if frame.empty:
        return frame.copy(deep=False)
    mask = None
    if keep == "first" and len(columns) <= _FEW:
        mask = _first_occurrences(frame, columns)
    if mask is None:
        mask = ~frame.duplicated(columns, keep=keep).to_numpy()
    return _renumbered(_where(frame, mask, read), ignore_index)


def _duplicated(read: Read, frame: pd.DataFrame, subset: Any = None) -> pd.Series:
    columns = _columns(frame, subset)
    if not blocks.plain(frame) or frame.empty or not 1 <= len(columns) <= _FEW:
        raise Unsupported("attrs, flags, no rows or many columns")
    mask = _first_occurrences(frame, columns)
    if mask is None:
        raise Unsupported("dtype")
    return pd.Series(~mask, index=frame.index, copy=False)


def _first_occurrences(frame: pd.DataFrame, columns: list[str]) -> np.ndarray | None:
    """Return whether each row is the first of its kind, None if kernels can't tell."""
    try:
        # A missing key is a key like others here.
        codes = [encode(frame[label]._values, floats=True).codes + 1 for label in columns]
    except Unsupported:
        return None
    mask = np.zeros(len(codes[0]), dtype=bool)
    mask[encode_all(codes).firsts] = True
    return mask


def _columns(frame: pd.DataFrame, subset: Any) -> list[str]:
    """Return the labels that `subset` names, all if it is None, each once."""
    labels = frame.columns
    if not labels.is_unique or labels.nlevels > 1:
        raise Unsupported("repeated or nested column labels")
    if subset is None:
        subset = labels.tolist()
    elif type(subset) is str:
        subset = [subset]
    elif type(subset) is not list:
        raise Unsupported("subset is no label or list")
    if not all(type(label) is str and label in labels for label in subset):
        raise Unsupported("subset names no columns")
    return list(dict.fromkeys(subset))


def _renumbered(frame: pd.DataFrame, ignore_index: bool) -> pd.DataFrame:
    if ignore_index:
        frame.index = pd.RangeIndex(len(frame))
    return frame


ROWS: dict[tuple[str, type], Callable[..., Any]] = {
    ("operator.getitem", pd.DataFrame): _filter,
    ("operator.getitem", _Loc): _loc,
    ("operator.getitem", _ILoc): _iloc,
    (".take", pd.DataFrame): _take,
    (".take", pd.Series): _take,
    (".dropna", pd.DataFrame): _dropna,
    (".drop_duplicates", pd.DataFrame): _drop_duplicates,
    (".duplicated", pd.DataFrame): _duplicated,
    ("operator.getitem", pd.Series): _filter_series,
}
"""The entries for rows; each takes first which columns of its result are read."""
