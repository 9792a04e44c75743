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
from pandas.core.internals.blocks import ensure_block_shape, new_block_2d
from pandas.core.internals.managers import BlockManager, SingleBlockManager

from stratum_dask.ops.frames.symbols import CODES, Layout, Source


def plain(value: Any) -> bool:
    """Whether a Series or DataFrame carries nothing but its data (no attrs, default flags)."""
    return not value._attrs and value._flags._allows_duplicate_labels


def column_values(value: Any, position: int | None) -> np.ndarray:
    """Return one column of a frame, or a Series' or array's values, contiguous and aligned."""
    if isinstance(value, np.ndarray):
        values = value
    elif position is None:
        values = value._mgr.blocks[0].values
    else:
        values = value._mgr.iget_values(position)
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


def frame_key(frame: pd.DataFrame) -> tuple[Any, ...]:
    """Return what a plan depends on in the columns' storage: dtypes and contiguity."""
    manager = frame._mgr
    keys = []
    for block in manager.blocks:
        values = block.values
        dtype = values.dtype
        code = CODES.get(dtype) if isinstance(dtype, np.dtype) else None
        keys.append((code, is_passive(dtype) if code is None else values.flags.c_contiguous))
    return tuple(keys), manager.blknos.tobytes()


def frame_layout(key: tuple[Any, ...]) -> Layout:
    """Return the dtypes of a frame's columns and how they are stored, from its `frame_key`."""
    keys, numbers = key
    columns = [keys[number] for number in np.frombuffer(numbers, dtype=np.intp)]
    return Layout(
        tuple([code for code, _ in columns]),
        frozenset([i for i, (code, flag) in enumerate(columns) if code and not flag]),
        frozenset([i for i, (code, flag) in enumerate(columns) if not code and flag]),
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


def make_frame(
    values: Sequence[Any],
    columns: pd.Index,
    index: pd.Index,
    base: int,
    untouched: Sequence[tuple[int, int]],
    borrowed: Sequence[tuple[int, Source]],
    computed: Sequence[tuple[list[int], np.ndarray]],
) -> pd.DataFrame:
    """Return a frame of shared and new columns.

    Parameters
    ----------
    values : sequence
        The values by number.
    columns, index : pandas.Index
        The axes.
    base : int
        The number of the frame that `untouched` columns come from.
    untouched : sequence of (int, int)
        Position in the result and in the base frame.
    borrowed : sequence of (int, Source)
        Position in the result, and the column of another value.
    computed : sequence of (list of int, ndarray)
        Positions in the result of the rows of a new 2-D buffer, which is used as it is.
    """
    blocks = _share_blocks(values[base]._mgr, untouched)
    for position, source in borrowed:
        blocks.append(_borrow(values[source.value], source.position, position))
    for positions, buffer in computed:
        blocks.append(new_block_2d(buffer, _placement(positions)))
    manager = BlockManager(tuple(blocks), [columns, index], verify_integrity=False)
    return pd.DataFrame._from_mgr(manager, manager.axes)


def _share_blocks(manager: Any, untouched: Sequence[tuple[int, int]]) -> list[Any]:
    """Return blocks that share memory with `manager`, or copies where rows are picked."""
    wanted: dict[int, tuple[list[int], list[int]]] = {}
    numbers, rows = manager.blknos, manager.blklocs
    for position, origin in untouched:
        picked, positions = wanted.setdefault(numbers[origin], ([], []))
        picked.append(rows[origin])
        positions.append(position)
    blocks = []
    for number, (picked, positions) in wanted.items():
        block = manager.blocks[number]
        placement = _placement(positions)
        if len(picked) == len(block.mgr_locs) and picked == list(range(len(picked))):
            blocks.append(new_block_2d(block.values, placement, refs=block.refs))
            continue
        # As pandas: columns at equal distances are a view.
        rows_taken = np.array(picked, dtype=np.intp)
        span = lib.maybe_indices_to_slice(rows_taken, max(len(picked), max(picked) + 1))
        if isinstance(span, slice):
            blocks.append(new_block_2d(block.values[span], placement, refs=block.refs))
        else:
            blocks.append(block.take_nd(rows_taken, axis=0, new_mgr_locs=placement))
    return blocks


def _borrow(value: Any, position: int | None, placement: int) -> Any:
    if position is None:
        block = value._mgr.blocks[0]
        shared = ensure_block_shape(block.values, ndim=2)
    else:
        manager = value._mgr
        block = manager.blocks[manager.blknos[position]]
        row = manager.blklocs[position]
        shared = block.values if block.values.ndim == 1 else block.values[row : row + 1]
    return new_block_2d(shared, _placement([placement]), refs=block.refs)


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
