"""Which columns of a frame lie in one block, after each operation as pandas would have it.

The order of blocks, and which columns share one, can be seen: pandas adds the columns of a row
block by block, so other blocks are other last bits of ``frame.sum(axis=1)``. A layout is a tuple of
blocks in pandas' order; a block is the tuple of its columns' positions, as it stores them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from pandas._libs.internals import BlockPlacement

from stratum_dask.ops.frames.environment import drops_without_copying

Blocks = tuple[tuple[int, ...], ...]


def apart(count: int) -> Blocks:
    """Return the layout of columns each of which has a block of its own."""
    return tuple([(position,) for position in range(count)])


def append(blocks: Blocks, position: int) -> Blocks:
    """Lay out a frame to which a column was added, as ``frame[name] = values`` does.

    Examples
    --------
    >>> append(((0, 1),), 2)
    ((0, 1), (2,))
    """
    return (*blocks, (position,))


def replace(blocks: Blocks, position: int) -> Blocks:
    """Lay out a frame of which a column was replaced.

    Examples
    --------
    >>> replace(((0, 1, 2), (3,)), 1)
    ((0,), (3,), (2,), (1,))
    """
    number = next(i for i, block in enumerate(blocks) if position in block)
    block = blocks[number]
    if len(block) == 1:
        return blocks
    cut = block.index(position)
    first, *others = [part for part in (block[:cut], block[cut + 1 :]) if part]
    return (*blocks[:number], first, *blocks[number + 1 :], *others, (position,))


def take(blocks: Blocks, positions: Sequence[int]) -> Blocks:
    """Lay out the frame of some columns, as ``frame[labels]`` does.

    Examples
    --------
    >>> take(((0, 1, 2), (3,)), [3, 2, 0])
    ((0,), (1, 2))
    """
    owner = {column: number for number, block in enumerate(blocks) for column in block}
    taken: dict[int, list[int]] = {}
    for new, old in enumerate(positions):
        taken.setdefault(owner[old], []).append(new)
    return tuple(map(tuple, taken.values()))


def merge(blocks: Blocks, key: Callable[[int], tuple[bool, str]]) -> Blocks:
    """Lay out a deep copy, which puts columns of one dtype together.

    Parameters
    ----------
    blocks : tuple
    key : callable
        Whether blocks of the column at a position can be put together, and the name of its dtype.

    Examples
    --------
    >>> merge(((0,), (1,), (2,)), lambda position: (True, "int64" if position == 0 else "float64"))
    ((1, 2), (0,))
    """
    keys = [key(block[0]) for block in blocks]
    merging = [name for mergeable, name in keys if mergeable]
    if len(merging) == len(set(merging)):
        return blocks
    merged: list[tuple[int, ...]] = []
    last = None
    for kind, block in sorted(zip(keys, blocks, strict=True), key=lambda pair: pair[0]):
        if kind[0] and kind == last:
            merged[-1] = tuple(sorted(merged[-1] + block))
        else:
            merged.append(block)
        last = kind
    return tuple(merged)


def pair(left: Blocks, right: Blocks) -> Blocks:
    """Lay out the result of an operation on two frames.

    Examples
    --------
    >>> pair(((0, 1, 2),), ((0,), (1, 2)))
    ((0,), (1, 2))
    """
    place = _places(right)
    return tuple(piece for block in left for piece in _pieces(block, [place[c] for c in block]))


def drop(blocks: Blocks, positions: Sequence[int]) -> Blocks:
    """Lay out the frame of the columns that stay, as ``frame.drop`` does.

    Examples
    --------
    >>> drop(((0, 1, 2, 3), (4,)), [0, 1, 4]), drop(((0, 1, 2, 3), (4,)), [0, 1, 3, 4])
    (((0, 1), (2,)), ((0,), (1,), (2,), (3,)))
    """
    if not drops_without_copying():
        return take(blocks, positions)
    place = _places(blocks)
    return tuple(_pieces(range(len(positions)), [place[position] for position in positions]))


def _places(blocks: Blocks) -> dict[int, tuple[int, int]]:
    """Return the block of each column, and its row in there."""
    return {
        column: (number, row)
        for number, block in enumerate(blocks)
        for row, column in enumerate(block)
    }


def _pieces(columns: Sequence[int], places: Sequence[tuple[int, int]]) -> Iterator[tuple[int, ...]]:
    """Yield neighbours that come from one block: together if they are a slice of it."""
    start = 0
    while start < len(columns):
        stop = start + 1
        while stop < len(columns) and places[stop][0] == places[start][0]:
            stop += 1
        if _evenly_spaced(row for _, row in places[start:stop]):
            yield tuple(columns[start:stop])
        else:
            yield from ((column,) for column in columns[start:stop])
        start = stop


def _evenly_spaced(rows: Iterable[int]) -> bool:
    placement: Any = BlockPlacement(np.array(list(rows), dtype=np.intp))
    return bool(placement.is_slice_like)
