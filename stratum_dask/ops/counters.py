"""Counts of what ran natively and what fell back to the libraries, on which dtypes, and why."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import sparse


class Fallback(NamedTuple):
    """A call that the library ran.

    Attributes
    ----------
    operation : str
        Canonical name of what was called.
    dtype : str
        The dtypes that it was called on, as `dtypes_of` names them.
    reason : str
    """

    operation: str
    dtype: str
    reason: str


@dataclass(frozen=True)
class Counters:
    """How often each operation ran natively, how often the library ran it, and why.

    Attributes
    ----------
    hits : dict of str to int
        Calls that ran natively, by the operation's canonical name.
    fallbacks : dict of Fallback to int
        Calls that the library ran.
    """

    hits: dict[str, int] = field(default_factory=dict)
    fallbacks: dict[Fallback, int] = field(default_factory=dict)

    def to_frame(self) -> pd.DataFrame:
        """Return one row per operation, dtype and reason, the most frequent fallbacks first.

        Returns
        -------
        DataFrame
            Columns `operation`, `dtype`, `reason` and `times` (how often the library ran it for
            this reason), and `hits` (how often the operation ran natively, whatever the dtype).
            An operation that always ran natively has one row, without dtype and reason.

        Examples
        --------
        >>> found = Counters({".fillna": 3}, {Fallback(".rank", "int64", "no rule"): 2})
        >>> found.to_frame()
          operation  dtype   reason  times  hits
        0     .rank  int64  no rule      2     0
        1   .fillna                      0     3
        """
        fell = {one.operation for one in self.fallbacks}
        rows = [(*one, n, self.hits.get(one.operation, 0)) for one, n in self.fallbacks.items()]
        rows += [(op, "", "", 0, n) for op, n in self.hits.items() if op not in fell]
        rows.sort(key=lambda row: (-row[3], -row[4], row[:3]))
        return pd.DataFrame(rows, columns=["operation", "dtype", "reason", "times", "hits"])

    def of(self, operations: Collection[str]) -> Counters:
        """Return the counts of some operations."""
        return Counters(
            {op: n for op, n in self.hits.items() if op in operations},
            {one: n for one, n in self.fallbacks.items() if one.operation in operations},
        )

    def __bool__(self) -> bool:
        return bool(self.hits or self.fallbacks)

    def __str__(self) -> str:
        return self.to_frame().to_string(index=False) if self else "nothing"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return str(self.to_frame().to_html(index=False))


class Tally:
    """Counts that grow."""

    def __init__(self) -> None:
        self.hits: Counter[str] = Counter()
        self.fallbacks: Counter[Fallback] = Counter()

    def count(self, hits: Iterable[str], fallbacks: Iterable[Fallback]) -> None:
        """Count single calls."""
        for op in hits:
            self.hits[op] += 1
        for fallback in fallbacks:
            self.fallbacks[fallback] += 1

    def add(self, found: Counters) -> None:
        """Add counts."""
        self.hits.update(found.hits)
        self.fallbacks.update(found.fallbacks)

    def counters(self) -> Counters:
        """Return the counts so far."""
        return Counters(dict(self.hits), dict(self.fallbacks))


def total(several: Iterable[Counters]) -> Counters:
    """Return the sums of counts.

    Examples
    --------
    >>> total([Counters({".abs": 1}), Counters({".abs": 2})]).hits
    {'.abs': 3}
    """
    tally = Tally()
    for found in several:
        tally.add(found)
    return tally.counters()


_lock = threading.Lock()
_process = Tally()
_thread = threading.local()


def hit(op: str) -> None:
    """Count one call of `op` that ran natively."""
    record((op,), ())


def fallback(op: str, operands: Iterable[Any], reason: str) -> None:
    """Count one call of `op` that the library ran on `operands`, because of `reason`."""
    record((), (Fallback(op, dtypes_of(operands), reason),))


def record(hits: Iterable[str], fallbacks: Iterable[Fallback]) -> None:
    """Count the calls of a whole run at once.

    Examples
    --------
    >>> reset()
    >>> record([".fillna", "numpy.log1p"], [Fallback(".rank", "int64", "no rule")])
    >>> snapshot().fallbacks
    {Fallback(operation='.rank', dtype='int64', reason='no rule'): 1}
    """
    with _lock:
        _process.count(hits, fallbacks)
    for tally in getattr(_thread, "tallies", ()):
        tally.count(hits, fallbacks)


@contextmanager
def collecting() -> Iterator[Tally]:
    """Collect what this thread counts, besides counting it for the process.

    Examples
    --------
    >>> with collecting() as tally:
    ...     hit(".abs")
    >>> tally.counters().hits
    {'.abs': 1}
    """
    outer: tuple[Tally, ...] = getattr(_thread, "tallies", ())
    tally = Tally()
    _thread.tallies = (*outer, tally)
    try:
        yield tally
    finally:
        _thread.tallies = outer


def snapshot() -> Counters:
    """Return the counts of this process."""
    with _lock:
        return _process.counters()


def reset() -> None:
    """Set all counts of this process to zero."""
    with _lock:
        _process.hits.clear()
        _process.fallbacks.clear()


def dtypes_of(operands: Iterable[Any]) -> str:
    """Name the dtypes among some operands, each once.

    Examples
    --------
    >>> dtypes_of((pd.DataFrame({"a": [1], "b": ["x"]}), pd.Series([0.5]), 2))
    'int64, str, float64'
    """
    return ", ".join(dict.fromkeys(name for value in operands for name in _dtypes(value)))


def _dtypes(value: Any) -> Iterable[str]:
    if isinstance(value, pd.DataFrame):
        return map(_name, value.dtypes)
    if isinstance(value, pd.Series | pd.Index | np.ndarray) or sparse.issparse(value):
        return (_name(value.dtype),)
    if type(value) is list or type(value) is tuple:
        return (name for item in value for name in _dtypes(item))
    # Groups and indexers have the object that they are of, accessors the column.
    for name in ("obj", "_parent"):
        owner = getattr(value, name, None)
        if isinstance(owner, pd.DataFrame | pd.Series):
            return _dtypes(owner)
    return ()


def _name(dtype: Any) -> str:
    return _numpy_name(dtype) if isinstance(dtype, np.dtype) else str(dtype)


@lru_cache(maxsize=256)
def _numpy_name(dtype: np.dtype[Any]) -> str:
    return str(dtype)  # takes NumPy microseconds
