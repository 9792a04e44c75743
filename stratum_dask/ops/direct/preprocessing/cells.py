"""What stands for the columns of a table on their way through a chain of transformers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from stratum_dask.ops.direct.dictionary import Dictionary, encoded
from stratum_dask.ops.direct.keys import encode
from stratum_dask.ops.steps import Unsupported

NAN = float("nan")


@dataclass(frozen=True)
class Number:
    """Numbers of which NaN will be filled, and to which steps of arithmetic will be applied.

    Attributes
    ----------
    values : ndarray
        Contiguous integers, bools or float64.
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
        values = self.values.view(np.uint8) if self.values.dtype.kind == "b" else self.values
        return ("number", values, self.fill, list(self.steps))

    @cached_property
    def dictionary(self) -> Dictionary:
        """The distinct values of a column of integers."""
        codes, firsts = encode(self.values)
        values = self.values.take(firsts)
        return Dictionary(codes.astype(np.int32), values, firsts, len(firsts))


@dataclass(frozen=True)
class Text:
    """A column of strings of which the missing will be filled.

    Attributes
    ----------
    array : ArrowStringArray
    fill : str or None
        None to leave them missing.
    """

    array: Any
    fill: str | None = None

    @property
    def dictionary(self) -> Dictionary:
        """The distinct strings before filling."""
        return encoded(self.array)

    @property
    def values(self) -> list[Any]:
        """The distinct values after filling; one of them may occur twice then."""
        found = self.dictionary
        if self.fill is None or found.complete:
            return found.values
        return [*found.values[:-1], self.fill]

    def take(self, rows: np.ndarray) -> Any:
        """Return some rows before filling."""
        found = self.dictionary
        return found.array.take(found.codes[rows])  # the last is the missing one


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
        return int(self.dictionary.counts[self.slots >= 0].sum())

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
