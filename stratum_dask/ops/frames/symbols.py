"""What stands for a value while a chain of frame operations is being planned.

Nothing is computed on symbols. A :class:`Column` is a node of the program being built or an
untouched column of an input; a :class:`Frame` is an ordered list of columns. Literals of the chain
stand for themselves, and :class:`Opaque` is any value that no rule understands.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from stratum_dask.ops.frames import layout
from stratum_dask.ops.frames.layout import Blocks
from stratum_dask.ops.steps import Unsupported

__all__ = [
    "CODES",
    "DTYPES",
    "UNITS",
    "Column",
    "Dates",
    "Frame",
    "Labels",
    "Layout",
    "Mode",
    "Opaque",
    "OtherLength",
    "Row",
    "Scalar",
    "Source",
    "Unsupported",
    "named",
]

#: The dtypes that programs compute with, by NumPy dtype; anything else passes through untouched.
CODES: dict[Any, str] = {
    np.dtype(name): code
    for name, code in {
        "float64": "f64",
        "float32": "f32",
        "int64": "i64",
        "int32": "i32",
        "int16": "i16",
        "int8": "i8",
        "uint64": "u64",
        "uint32": "u32",
        "uint16": "u16",
        "uint8": "u8",
        "bool": "bool",
    }.items()
}
DTYPES: dict[str, np.dtype[Any]] = {code: dtype for dtype, code in CODES.items()}

#: The units of dates that programs take the fields of, by the name of the dtype.
UNITS: dict[str, str] = {
    f"datetime64[{unit}{zone}]": unit for unit in ("s", "ms", "us", "ns") for zone in ("", ", UTC")
}


class OtherLength(Exception):
    """A step works on columns of another length than the program being built."""


class Source(NamedTuple):
    """An untouched column: value number `value`, column `position` (None in a Series or array)."""

    value: int
    position: int | None


@dataclass(frozen=True, slots=True)
class Column:
    """A Series, or a 1-D array when `index` is None.

    Attributes
    ----------
    dtype : str or None
        Code of the dtype, None for one that programs don't compute with.
    node : int or None
        The node of the program; None while the column is an untouched one.
    source : Source or None
        Where an untouched column comes from.
    index : int or None
        Number of the value whose index the Series has.
    name : hashable
        The name of the Series.
    length : int
        The length class: equal numbers are equal lengths.
    literal : object
        The value of a column in which all rows are this one Python scalar.
    unit : str or None
        The unit of an untouched column of dates that are naive or in UTC, None for others.
    """

    dtype: str | None
    length: int
    node: int | None = None
    source: Source | None = None
    index: int | None = None
    name: Hashable = None
    literal: Any = None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Dates:
    """The ``.dt`` accessor of a column."""

    column: Column


@dataclass(frozen=True, slots=True)
class Scalar:
    """The result of a reduction, a NumPy scalar when it is materialised."""

    dtype: str
    node: int


@dataclass(frozen=True, slots=True)
class Mode:
    """What ``Series.mode()`` returns, of which only the first value can stay symbolic."""

    column: Column
    scalar: Scalar


@dataclass(frozen=True, slots=True)
class Opaque:
    """A concrete value that rules don't look into."""

    value: int


class Labels:
    """Column labels of a frame, of which pandas builds the Index only when it is needed.

    Parameters
    ----------
    values : tuple
        The labels.
    index : pandas.Index or None
        The labels as pandas would have them; None: `values` all are strings, in the `str` dtype of
        `like`.
    like : pandas.Index
        The index that the labels started from, which has their dtype and name.
    """

    __slots__ = ("_index", "_positions", "like", "values")

    def __init__(self, values: tuple[Any, ...], index: pd.Index | None, like: pd.Index) -> None:
        self.values = values
        self.like = like
        self._index = index
        self._positions: dict[Any, int] | None = None

    @property
    def index(self) -> pd.Index:
        """The labels as a pandas Index."""
        if self._index is None:
            self._index = pd.Index(list(self.values), dtype=self.like.dtype, name=self.like.name)
        return self._index

    @property
    def unique(self) -> bool:
        """Whether no label occurs twice."""
        return len(self.positions) == len(self.values)

    @property
    def positions(self) -> dict[Any, int]:
        """Position by label; of labels that occur twice the last."""
        if self._positions is None:
            self._positions = {label: i for i, label in enumerate(self.values)}
        return self._positions

    def find(self, label: Any) -> int:
        """Return the position of the only column called `label`."""
        if type(label) is not str and type(label) is not int:
            raise Unsupported("label is neither str nor int")
        if not self.unique:
            raise Unsupported("duplicate column names")
        position = self.positions.get(label)
        if position is None or type(self.values[position]) is not type(label):
            raise Unsupported("no such column")
        return position

    def take(self, positions: Sequence[int]) -> Labels:
        """Return the labels at `positions`."""
        values = tuple(self.values[i] for i in positions)
        if self._lazy(values):
            return Labels(values, None, self.like)
        return Labels(values, self.index.take(np.array(positions, dtype=np.intp)), self.like)

    def append(self, label: Hashable) -> Labels:
        """Return the labels with one more at the end."""
        values = (*self.values, label)
        if self._lazy((label,)):
            return Labels(values, None, self.like)
        return Labels(values, self.index.insert(len(self.values), label), self.like)

    def rename(self, mapping: dict[Any, Any]) -> Labels:
        """Return the labels as ``DataFrame.rename(columns=mapping)`` makes them."""
        values = [mapping.get(label, label) for label in self.values]
        if not all(type(value) is str for value in values):
            raise Unsupported("label is not a str")
        index = pd.Index(values, name=self.like.name, tupleize_cols=False)
        return Labels(tuple(values), index, index)

    def _lazy(self, added: Iterable[Any]) -> bool:
        return isinstance(self.like.dtype, pd.StringDtype) and all(type(x) is str for x in added)


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of an input frame.

    Attributes
    ----------
    dtypes : tuple
        Codes of the dtypes by position.
    strided : frozenset of int
        The columns whose block stores rows next to each other.
    passive : frozenset of int
        The columns that pandas doesn't count as numeric.
    merging : tuple
        By position, whether pandas puts columns of the dtype into common blocks, and its name.
    blocks : tuple of tuple of int
        Which columns are stored together; see :mod:`~stratum_dask.ops.frames.layout`.
    """

    dtypes: tuple[str | None, ...]
    strided: frozenset[int]
    passive: frozenset[int]
    merging: tuple[tuple[bool, str], ...]
    blocks: Blocks

    def together(self, positions: Sequence[int]) -> bool:
        """Whether columns are stored in one block."""
        if len(positions) == 1:  # as most are, in frames of many blocks
            return True
        return any(set(positions) <= set(block) for block in self.blocks)


@dataclass(frozen=True, slots=True)
class Frame:
    """A DataFrame: labels and columns over the rows of an input.

    Attributes
    ----------
    columns : tuple of Column or int
        A position stands for that untouched column of the frame with the number `base`.
    base : int
        The number of the frame that it was made from.
    index : int
        The number of a value that has the index.
    blocks : tuple of tuple of int
        Which columns lie in one block, as pandas would have it.
    selections : tuple or None
        The ``(method, labels)`` that select this frame from its base, if nothing else was done.
    """

    labels: Labels
    columns: tuple[Column | int, ...]
    base: int
    index: int
    length: int
    layout: Layout
    blocks: Blocks
    selections: tuple[tuple[str, list[Any]], ...] | None = None

    def column(self, position: int) -> Column:
        """Return the column at `position` as a Series."""
        column = self.columns[position]
        name = self.labels.values[position]
        if type(name) is not str:  # a label of an integer index is a NumPy scalar
            name = self.labels.index[position]
        if isinstance(column, int):
            source = Source(self.base, column)
            dtype = self.layout.dtypes[column]
            unit = UNITS.get(self.layout.merging[column][1])
            return Column(dtype, self.length, source=source, index=self.index, name=name, unit=unit)
        return named(column, name, self.index)

    def is_passive(self, position: int) -> bool:
        """Whether pandas doesn't count the column at `position` as numeric."""
        column = self.columns[position]
        return isinstance(column, int) and column in self.layout.passive

    def replace(
        self,
        columns: Iterable[Column | int],
        labels: Labels | None = None,
        blocks: Blocks | None = None,
    ) -> Frame:
        """Return the frame with other columns."""
        return replace(
            self,
            labels=labels or self.labels,
            columns=tuple(columns),
            blocks=self.blocks if blocks is None else blocks,
            selections=None,
        )

    def merge_key(self, position: int) -> tuple[bool, str]:
        """Return whether the column at `position` may share a block, and its dtype's name."""
        column = self.columns[position]
        if isinstance(column, int):
            return self.layout.merging[column]
        if column.dtype is None:
            raise Unsupported("dtype")
        return True, DTYPES[column.dtype].name

    def select(self, positions: Sequence[int], method: str, labels: list[Any]) -> Frame:
        """Return the frame of the columns at `positions`, as pandas' `method` selects them."""
        self.refuse_strided()
        selected = self.replace(
            [self.columns[position] for position in positions],
            self.labels.take(positions),
            (layout.drop if method == "drop" else layout.take)(self.blocks, positions),
        )
        if self.selections is None:
            return selected
        return replace(selected, selections=(*self.selections, (method, labels)))

    def refuse_strided(self) -> None:
        """Leave frames to pandas of which a block stores rows next to each other.

        What pandas does to that order can be seen from outside, and differs between operations.
        """
        strided = self.layout.strided
        if strided and any(c in strided for c in self.columns if isinstance(c, int)):
            raise Unsupported("rows are stored next to each other")

    def map(self, function: Callable[[Column], Column], blocks: Blocks | None = None) -> Frame:
        """Apply `function` to every column; pandas does it block by block, as `blocks` says."""
        self.refuse_strided()
        new: list[Column | int] = []
        for position, old in enumerate(self.columns):
            column = function(self.column(position))
            untouched = isinstance(old, int) and column.source == Source(self.base, old)
            new.append(old if untouched else column)
        return self.replace(new, blocks=blocks)


@dataclass(frozen=True, slots=True)
class Row:
    """A Series of scalars by column label: a reduction of a frame."""

    labels: Labels
    scalars: tuple[Scalar, ...]
    dtype: str
    name: Hashable = None


def named(column: Column, name: Hashable, index: int | None) -> Column:
    """Return `column` with another name and index."""
    if column.index == index and column.name is name:
        return column
    return replace(column, name=name, index=index)
