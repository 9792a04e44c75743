"""What stands for the columns of a table on their way through a chain of transformers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow

from stratum_dask import _native
from stratum_dask.ops.steps import Unsupported

NAN = float("nan")


class Dictionary(NamedTuple):
    """The distinct values of a column; NaN stands for missing.

    Attributes
    ----------
    codes : ndarray of uint32
        The number of each row's value.
    values : list
        In the order of their first rows.
    firsts, counts : list of int
        For each value its first row, and how many rows hold it.
    missing : int or None
        The number of the missing value.
    """

    codes: np.ndarray
    values: list[Any]
    firsts: list[int]
    counts: list[int]
    missing: int | None


@dataclass(frozen=True)
class Number:
    """Numbers of which NaN will be filled, and to which steps of arithmetic will be applied.

    Attributes
    ----------
    values : ndarray
        Contiguous integers or float64.
    fill : float
        NaN for none.
    steps : tuple of (str, float)
        ``("add"|"sub"|"mul"|"div", x)``, in order.
    """

    values: np.ndarray
    fill: float = NAN
    steps: tuple[tuple[str, float], ...] = ()

    def then(self, step: str, x: float) -> Number:
        """Return the column with one more step."""
        return replace(self, steps=(*self.steps, (step, float(x))))

    def feature(self) -> tuple[Any, ...]:
        """Return the column as native code takes it."""
        return ("number", self.values, self.fill, list(self.steps))

    @cached_property
    def dictionary(self) -> Dictionary:
        """The distinct values of a column of integers."""
        codes, values = pd.factorize(self.values)
        firsts = np.empty(len(values), dtype=np.intp)
        firsts[codes[::-1]] = np.arange(len(codes))[::-1]
        counts = np.bincount(codes, minlength=len(values))
        return Dictionary(
            codes.astype(np.uint32), values.tolist(), firsts.tolist(), counts.tolist(), None
        )


class Strings:
    """A column of strings, looked through once when that is needed.

    Parameters
    ----------
    array : pyarrow.ChunkedArray of large_string
    """

    def __init__(self, array: pyarrow.ChunkedArray) -> None:
        self.array = array

    @cached_property
    def dictionary(self) -> Dictionary:
        """The distinct values."""
        codes = np.empty(len(self.array), dtype=np.uint32)
        chunks = [_buffers(chunk) for chunk in self.array.chunks if len(chunk)]
        found, firsts, counts, missing = _native.dictionary(chunks, codes)
        values: list[Any] = list(found)
        if missing is not None:
            values[missing] = NAN
        return Dictionary(codes, values, firsts, counts, missing)

    def take(self, rows: np.ndarray) -> Any:
        """Return some rows as pandas holds them."""
        found = self.dictionary
        values = [found.values[code] for code in found.codes[rows].tolist()]
        return pd.array(values, dtype=pd.StringDtype("pyarrow", na_value=np.nan))


def _buffers(chunk: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray | None, int]:
    validity, offsets, data = chunk.buffers()
    start, rows = chunk.offset, len(chunk)
    empty = np.empty(0, dtype=np.uint8)
    return (
        np.frombuffer(offsets, dtype=np.int64)[start : start + rows + 1],
        np.frombuffer(data, dtype=np.uint8) if data is not None and data.size else empty,
        None if not chunk.null_count else np.frombuffer(validity, dtype=np.uint8),
        start,
    )


@dataclass(frozen=True)
class Text:
    """A column of strings of which the missing will be filled.

    Attributes
    ----------
    strings : Strings
    fill : str or None
        None to leave them missing.
    """

    strings: Strings
    fill: str | None = None

    @property
    def values(self) -> list[Any]:
        """The distinct values after filling; one of them may occur twice then."""
        found = self.strings.dictionary
        if self.fill is None or found.missing is None:
            return found.values
        values = found.values.copy()
        values[found.missing] = self.fill
        return values


@dataclass(frozen=True)
class OneHot:
    """Columns of zeros with a one where a row's code says so.

    Attributes
    ----------
    dictionary : Dictionary
    slots : ndarray of int32
        The column of each code, negative for none.
    width : int
        The number of columns.
    """

    dictionary: Dictionary
    slots: np.ndarray
    width: int

    def entries(self) -> int:
        """Return how many ones there are."""
        return int(np.array(self.dictionary.counts, dtype=np.int64)[self.slots >= 0].sum())

    def feature(self) -> tuple[Any, ...]:
        """Return the columns as native code takes them."""
        return ("onehot", self.dictionary.codes, self.slots, self.width)


@dataclass(frozen=True)
class Code:
    """A column of the numbers that codes stand for."""

    dictionary: Dictionary
    numbers: np.ndarray

    def feature(self) -> tuple[Any, ...]:
        """Return the column as native code takes it."""
        return ("code", self.dictionary.codes, self.numbers)


@dataclass(frozen=True)
class Other:
    """A column that no native form understands; `reason` says why."""

    reason: str


Cell = Number | Text | OneHot | Code | Other


@dataclass(frozen=True)
class Block:
    """Some columns of a table, as one step hands them to the next.

    Attributes
    ----------
    cells : tuple of Cell
    rows : int
    names : tuple of str or None
        The columns of a frame; None once a step has made an array of it.
    order : {"F", "C"}
        How a dense array of it lies in memory.
    sparse : bool
        Whether it is a sparse matrix.
    """

    cells: tuple[Cell, ...]
    rows: int
    names: tuple[str, ...] | None = None
    order: str = "F"
    sparse: bool = False

    @property
    def width(self) -> int:
        """The number of columns."""
        return sum(cell.width if isinstance(cell, OneHot) else 1 for cell in self.cells)

    def take(self, names: Sequence[str]) -> Block:
        """Return the columns of these names."""
        if self.names is None:
            raise Unsupported("columns of an array")
        positions = {name: i for i, name in enumerate(self.names)}
        if not positions.keys() >= set(names):
            raise Unsupported("columns are missing")
        return replace(
            self, cells=tuple(self.cells[positions[n]] for n in names), names=tuple(names)
        )

    def numbers(self) -> tuple[Number, ...]:
        """Return the columns, all of which must hold numbers."""
        return tuple(_expect(self.cells, Number, "not numeric"))

    def text(self) -> tuple[Text, ...]:
        """Return the columns, all of which must hold strings."""
        return tuple(_expect(self.cells, Text, "not strings"))

    def then(self, cells: Iterable[Cell], order: str = "F", sparse: bool = False) -> Block:
        """Return what a step makes of the block."""
        return Block(tuple(cells), self.rows, None, order, sparse)


def _expect(cells: Sequence[Cell], kind: type, otherwise: str) -> Iterable[Any]:
    if not cells:
        raise Unsupported("no columns")
    for cell in cells:
        if not isinstance(cell, kind):
            raise Unsupported(cell.reason if isinstance(cell, Other) else otherwise)
        yield cell
