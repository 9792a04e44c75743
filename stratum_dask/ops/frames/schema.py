"""What a plan depends on: the dtypes, labels and alignment of the values it starts from."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from stratum_dask.ops.frames import blocks
from stratum_dask.ops.frames.symbols import (
    CODES,
    Column,
    Frame,
    Labels,
    Opaque,
    Source,
)

_LITERALS = (bool, int, float, str, type(None))
_OPAQUE = ("opaque",)


class Schema:
    """The values that a stretch of steps starts from, described.

    Parameters
    ----------
    values : sequence
        All values by number.
    live : sequence of int
        The numbers of those that the steps can read.

    Attributes
    ----------
    key : tuple
        Equal keys mean that one plan serves both.
    """

    def __init__(self, values: Sequence[Any], live: Sequence[int]) -> None:
        self._values = values
        self._live = live
        self._indexes: list[tuple[pd.Index, int]] = []
        self._lengths: dict[int, int] = {}
        self.key = tuple([self._describe(number, values[number]) for number in live])

    @property
    def lengths(self) -> list[int]:
        """The lengths of the values by length class."""
        return list(self._lengths)

    @property
    def readonly(self) -> tuple[int, ...]:
        """The numbers of the frames and Series that lie in read-only memory."""
        kinds = (pd.DataFrame, pd.Series)
        return tuple(
            [
                n
                for n in self._live
                if type(self._values[n]) in kinds and blocks.is_readonly(self._values[n])
            ]
        )

    def symbols(self) -> dict[int, Any]:
        """Return the symbols of the values by number; literals stand for themselves."""
        return {
            number: self._symbol(number, self._values[number], description)
            for number, description in zip(self._live, self.key, strict=True)
        }

    def _describe(self, number: int, value: Any) -> tuple[Any, ...]:
        kind = type(value)
        if kind is pd.DataFrame and blocks.plain(value):
            labels, key = labels_of(value.columns)
            if labels:
                rows = self._rows(number, value.index)
                return "frame", *rows, blocks.frame_key(value), labels, key
        elif kind is pd.Series and blocks.plain(value):
            name = value.name
            dtype, unit = blocks.series_key(value)
            return "series", *self._rows(number, value.index), dtype, unit, type(name), name
        elif kind is np.ndarray and value.ndim == 1:
            return "array", self._length(len(value)), CODES.get(value.dtype)
        elif kind in _LITERALS or (isinstance(value, np.generic) and value.dtype in CODES):
            return "literal", kind, repr(value)
        return _OPAQUE

    def _rows(self, number: int, index: pd.Index) -> tuple[int, int]:
        """Return the number of the first value with the same index, and the length class."""
        length = self._length(len(index))
        for other, owner in self._indexes:
            if index is other or index.is_(other) or index.identical(other):
                return owner, length
        self._indexes.append((index, number))
        return number, length

    def _length(self, length: int) -> int:
        return self._lengths.setdefault(length, len(self._lengths))

    def _symbol(self, number: int, value: Any, description: tuple[Any, ...]) -> Any:
        kind = description[0]
        if kind == "frame":
            _, owner, length, storage, labels, _ = description
            columns = value.columns
            layout = blocks.frame_layout(storage)
            return Frame(
                Labels(labels, columns, columns),
                tuple(range(len(labels))),
                number,
                owner,
                length,
                layout,
                layout.blocks,
                selections=(),
            )
        if kind == "series":
            _, owner, length, dtype, unit, _, name = description
            source = Source(number, None)
            return Column(dtype, length, source=source, index=owner, name=name, unit=unit)
        if kind == "array":
            _, length, dtype = description
            return Column(dtype, length, source=Source(number, None))
        return value if kind == "literal" else Opaque(number)


def labels_of(columns: pd.Index) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Return the labels of columns, none if programs don't know such, and what else tells apart.

    An index never changes but for its name, and making Python's strings of Arrow's takes a while.
    """
    found = _known.get(id(columns))
    if found is None or found[0]() is not columns:
        labels = tuple(columns.tolist()) if type(columns) in (pd.Index, pd.RangeIndex) else ()
        if columns.dtype == object and not all(type(label) is str for label in labels):
            labels = ()
        dtype = columns.dtype  # cheaper to hash as text
        key = type(columns), str(dtype), getattr(dtype, "storage", None)
        number = id(columns)
        found = weakref.ref(columns, lambda _: _known.pop(number, None)), labels, key
        _known[number] = found
    _, labels, key = found
    return labels, (*key, columns.name)


_known: dict[int, tuple[weakref.ref[pd.Index], tuple[Any, ...], tuple[Any, ...]]] = {}
