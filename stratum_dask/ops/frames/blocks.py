"""How pandas stores frames: the only module that reads or makes blocks.

pandas keeps a frame as 2-D blocks of columns; a block that two frames share carries weak
references to both, by which a later write into one copies first. Frames are made here from
blocks directly, with these references, because the public constructors copy or cost more than the
arithmetic on small frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from pandas._libs import lib
from pandas._libs.internals import BlockPlacement
from pandas._libs.tslibs import NaT
from pandas.core.arrays import DatetimeArray
from pandas.core.dtypes.common import is_1d_only_ea_dtype
from pandas.core.internals.blocks import ensure_block_shape, new_block_2d
from pandas.core.internals.managers import BlockManager, SingleBlockManager

from stratum_dask.ops.frames.symbols import CODES, UNITS, Layout, Source


def plain(value: Any) -> bool:
    """Whether a Series or DataFrame carries nothing but its data (no attrs, default flags)."""
    return not value._attrs and value._flags._allows_duplicate_labels


def is_readonly(value: Any) -> bool:
    """Whether some of a Series' or frame's memory may not be written to."""
    for block in value._mgr.blocks:
        values = getattr(block.values, "_ndarray", block.values)
        if type(values) is np.ndarray and not values.flags.writeable:
            return True
    return False


def column_values(value: Any, position: int | None) -> np.ndarray:
    """Return one column of a frame, or a Series' or array's values, contiguous and aligned.

    Dates are integers.
    """
    if isinstance(value, np.ndarray):
        values = value
    elif position is None:
        values = value._mgr.blocks[0].values
    else:
        values = value._mgr.iget_values(position)
    if isinstance(values, DatetimeArray):
        values = values.asi8
    flags = values.flags
    if flags.c_contiguous and flags.aligned:
        return values
    return np.require(values, requirements=("C", "A"))


def series_values(series: pd.Series) -> Any:
    """Return the array that a Series stores."""
    return series._mgr.blocks[0].values


@lru_cache(maxsize=256)
def is_passive(dtype: Any) -> bool:
    """Whether pandas doesn't count a dtype as numeric."""
    if isinstance(dtype, np.dtype):
        return dtype.kind in "OMm"
    return isinstance(dtype, (pd.StringDtype, pd.CategoricalDtype, pd.DatetimeTZDtype))


_DtypeKey = tuple[str | None, bool, tuple[bool, str]]


def _dtype_key(dtype: Any) -> _DtypeKey:
    """Return a dtype's code if programs know it, `is_passive`, and the key of its blocks.

    The last says whether pandas puts columns of the dtype into common blocks, and its name.
    """
    if type(dtype) is pd.StringDtype:  # whose hash takes longer than all else
        return None, True, (False, dtype.name)
    return _other_dtype_key(dtype)


@lru_cache(maxsize=256)
def _other_dtype_key(dtype: Any) -> _DtypeKey:
    code = CODES.get(dtype) if isinstance(dtype, np.dtype) else None
    return code, is_passive(dtype), (not is_1d_only_ea_dtype(dtype), dtype.name)


def series_key(series: pd.Series) -> tuple[str | None, str | None]:
    """Return the code of a Series' dtype if programs know it, and the unit of dates."""
    code, _, (_, name) = _dtype_key(series_values(series).dtype)
    return code, UNITS.get(name)


def is_text(values: Any) -> bool:
    """Whether an array is of pandas' dtypes of strings."""
    return isinstance(values.dtype, pd.StringDtype)


def has_text(frame: pd.DataFrame, label: str) -> bool:
    """Whether one column of a frame has this label, and holds strings."""
    columns = frame.columns
    if type(columns) is not pd.Index:
        return False
    try:
        position = columns.get_loc(label)
    except KeyError:
        return False
    manager = frame._mgr
    return type(position) is int and is_text(manager.blocks[manager.blknos[position]].values)


def same_row(series: pd.Series, row: pd.Series) -> bool:
    """Whether two short Series have the same dtype, labels and bits."""
    one, other = column_values(series, None), column_values(row, None)
    return (
        one.dtype == other.dtype
        and series.index.identical(row.index)
        and one.tobytes() == other.tobytes()
    )


def has_missing_dates(values: Sequence[Any], source: Source) -> bool:
    """Whether any date of a column is missing."""
    dates = column_values(values[source.value], source.position)
    return bool(dates.min(initial=0) == NaT.value)


def frame_key(frame: pd.DataFrame) -> tuple[Any, ...]:
    """Return what a plan depends on in the columns' storage: dtypes, contiguity and blocks."""
    manager = frame._mgr
    keys: list[tuple[Any, ...]] = []
    for block in manager.blocks:
        values = block.values
        key = code, _, merging = _dtype_key(values.dtype)
        keys.append(key if code is None else (code, values.flags.c_contiguous, merging))
    return tuple(keys), manager.blknos.tobytes(), manager.blklocs.tobytes()


def frame_layout(key: tuple[Any, ...]) -> Layout:
    """Return the dtypes of a frame's columns and how they are stored, from its `frame_key`."""
    keys, *places = key
    numbers, rows = (np.frombuffer(place, dtype=np.intp).tolist() for place in places)
    columns = [keys[number] for number in numbers]
    blocks: list[list[int]] = [[] for _ in keys]
    for _, number, position in sorted(zip(rows, numbers, range(len(rows)), strict=True)):
        blocks[number].append(position)
    return Layout(
        tuple([code for code, _, _ in columns]),
        frozenset([i for i, (code, flag, _) in enumerate(columns) if code and not flag]),
        frozenset([i for i, (code, flag, _) in enumerate(columns) if not code and flag]),
        tuple([merging for _, _, merging in columns]),
        tuple(map(tuple, blocks)),
    )


def make_series(values: np.ndarray, index: pd.Index, name: Any) -> pd.Series:
    """Return a Series over new values."""
    series = pd.Series._from_mgr(SingleBlockManager.from_array(values, index), [index])
    series._name = name
    return series


def share_series(values: Sequence[Any], source: Source, index: pd.Index, name: Any) -> pd.Series:
    """Return an untouched column as a Series that shares its memory, copied on write."""
    value = values[source.value]
    if source.position is None:
        series = value.copy(deep=False)
    else:
        manager = value._mgr.iget(source.position)
        series = pd.Series._from_mgr(manager, manager.axes)
    series.index = index
    series._name = name
    return series


def make_frame(blocks: Sequence[Any], columns: pd.Index, index: pd.Index) -> pd.DataFrame:
    """Return a frame of these blocks."""
    manager = BlockManager(tuple(blocks), [columns, index], verify_integrity=False)
    return pd.DataFrame._from_mgr(manager, manager.axes)


def new_block(values: np.ndarray, positions: list[int]) -> Any:
    """Return a block of a new 2-D buffer with a row for each column, which is used as it is."""
    return new_block_2d(values, _placement(positions))


def share_columns(frame: pd.DataFrame, origins: list[int], positions: list[int]) -> Any:
    """Return a block of columns of a frame's block: shared, or a copy where they are picked."""
    manager = frame._mgr
    block = manager.blocks[manager.blknos[origins[0]]]
    rows = manager.blklocs[origins]
    placement = _placement(positions)
    if len(rows) == len(block.mgr_locs) and (len(rows) == 1 or (np.diff(rows) == 1).all()):
        return new_block_2d(block.values, placement, refs=block.refs)
    # As pandas: columns at equal distances are a view.
    span = lib.maybe_indices_to_slice(rows, max(len(rows), rows.max() + 1))
    if isinstance(span, slice):
        return new_block_2d(block.values[span], placement, refs=block.refs)
    return block.take_nd(rows, axis=0, new_mgr_locs=placement)


def borrow(values: Sequence[Any], source: Source, placement: int) -> Any:
    """Return a block that shares the memory of an untouched column of some value."""
    value, position = values[source.value], source.position
    if position is None:
        block = value._mgr.blocks[0]
        shared = ensure_block_shape(block.values, ndim=2)
    else:
        manager = value._mgr
        block = manager.blocks[manager.blknos[position]]
        row = manager.blklocs[position]
        shared = block.values if block.values.ndim == 1 else block.values[row : row + 1]
    return new_block_2d(shared, _placement([placement]), refs=block.refs)


def numpy_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of NumPy's dtypes in the blocks that ``select_dtypes`` leaves them in."""
    manager = frame._mgr._get_data_subset(lambda values: isinstance(values, np.ndarray))
    manager = manager.copy(deep=False)
    return pd.DataFrame._from_mgr(manager, manager.axes)


def _placement(positions: list[int]) -> Any:
    first, count = positions[0], len(positions)
    if positions == list(range(first, first + count)):
        return BlockPlacement(slice(first, first + count))
    return BlockPlacement(np.array(positions, dtype=np.intp))


def map_blocks(
    frame: pd.DataFrame, index: pd.Index, function: Callable[[Any, Any], Any]
) -> pd.DataFrame:
    """Return a frame with the same columns in the same blocks, of other rows.

    Parameters
    ----------
    frame : DataFrame
        Where the columns come from.
    index : pandas.Index
        The labels of the new rows.
    function : callable
        Makes the new values of a block from the block and the positions of its columns.
    """
    blocks = [
        block.make_block_same_class(function(block, block.mgr_locs.as_array))
        for block in frame._mgr.blocks
    ]
    manager = BlockManager(tuple(blocks), [frame.columns, index], verify_integrity=False)
    return pd.DataFrame._from_mgr(manager, manager.axes)
