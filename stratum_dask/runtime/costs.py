"""The cost book: what tasks of each kind took before, and so what those of a graph will take.

Kept in a small database in the user's cache directory, which all processes of the user share.
Entries are means over tasks that call the same on inputs of about the same size; other sizes are
scaled from the nearest. A book that cannot be read or written is as good as an empty one.
"""

from __future__ import annotations

import math
import os
import sqlite3
import time
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, TypeVar

import dask

from stratum_dask.errors import ConfigError
from stratum_dask.graph import Graph, Key
from stratum_dask.ops.outcomes import Spent
from stratum_dask.runtime.guesses import guess
from stratum_dask.runtime.kinds import Work, works_of

T = TypeVar("T")

_MOST = 4096
"""Entries that are kept: those used last."""
_WEIGHT = 16
"""What is in the book counts for no more measurements than this: machines and versions change."""
_PATIENCE = 1.0
"""Seconds to wait for another process that writes."""

_TABLE = """
    CREATE TABLE IF NOT EXISTS costs (
        kind TEXT, size INTEGER, times INTEGER, seconds REAL, nbytes REAL, given REAL, rounds REAL,
        used REAL, PRIMARY KEY (kind, size)
    ) WITHOUT ROWID
"""
_FORGET = """
    DELETE FROM costs WHERE used < (SELECT used FROM costs ORDER BY used DESC LIMIT 1 OFFSET ?)
"""


class Cost(NamedTuple):
    """What a task is expected to take.

    Attributes
    ----------
    seconds : float
    nbytes : int
        Of its value.
    known : bool
        Whether tasks of its kind were measured before; else it is a guess.
    """

    seconds: float
    nbytes: int
    known: bool


class Kind(NamedTuple):
    """What tasks of about the same cost have in common.

    Attributes
    ----------
    name : str
        What is called, with the class of the estimator that it is about.
    given : int
        Bytes of its inputs.
    rounds : int
        How often it does the same, such as growing a tree.
    """

    name: str
    given: int
    rounds: int = 1

    @property
    def entry(self) -> tuple[str, int]:
        """The name, and the power of four that is nearest to bytes times rounds."""
        return self.name, round(math.log(max(self.given, 1) * self.rounds, 4))


class _Mean(NamedTuple):
    """Means over measured tasks."""

    times: int
    seconds: float
    nbytes: float
    given: float
    rounds: float

    def plus(self, other: _Mean, most: float = math.inf) -> _Mean:
        """Return the mean over both, where this one counts for at most so many."""
        share = other.times / (min(self.times, most) + other.times)
        means = (a + (b - a) * share for a, b in zip(self[1:], other[1:], strict=True))
        return _Mean(self.times + other.times, *means)


_Entries = dict[str, dict[int, _Mean]]


class Book:
    """Measured costs by kind.

    Parameters
    ----------
    path : Path, optional
        Where it is kept; None for a book that is not.

    Examples
    --------
    >>> book = Book()
    >>> book.record(Kind("numpy.sort", 1_000_000), 0.25, 1_000_000)
    >>> book.flush()
    >>> book.find(Kind("numpy.sort", 2_000_000))
    Cost(seconds=0.5, nbytes=2000000, known=True)
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        # One that is not there yet is made when there is something to enter.
        there = path is not None and os.path.lexists(path)
        self._entries = (self._use(_entries) if there else None) or {}
        self._new: _Entries = {}

    def record(self, kind: Kind, seconds: float, nbytes: int) -> None:
        """Take note of a task; :meth:`flush` enters it.

        Parameters
        ----------
        kind : Kind
        seconds : float
        nbytes : int
            Of its value.
        """
        measured = _Mean(1, seconds, nbytes, kind.given, kind.rounds)
        _add(self._new, *kind.entry, measured, math.inf)

    def record_sums(
        self, entry: tuple[str, int], times: int, seconds: float, *others: float
    ) -> None:
        """Take note of several tasks of one kind and about one size.

        Parameters
        ----------
        entry : tuple of (str, int)
            As of :class:`Kind`.
        times : int
        seconds, *others : float
            Sums over them: of seconds, of the values' bytes, of `given` and of `rounds`.
        """
        mean = _Mean(times, *(one / times for one in (seconds, *others)))
        if all(map(math.isfinite, mean)) and min(mean) >= 0 and mean.rounds >= 1:
            _add(self._new, *entry, mean, math.inf)

    def find(self, kind: Kind) -> Cost | None:
        """Return what a task of this kind took before, or None if there was none."""
        name, size = kind.entry
        sizes = self._entries.get(name)
        if sizes is None:
            return None
        mean = sizes[min(sizes, key=lambda one: abs(one - size))]
        larger = max(kind.given, 1) / max(mean.given, 1)
        seconds = mean.seconds * larger * kind.rounds / mean.rounds
        return Cost(seconds, int(mean.nbytes * larger), True)

    def flush(self) -> None:
        """Enter what was recorded since the last time."""
        new = [
            (name, size, mean) for name, sizes in self._new.items() for size, mean in sizes.items()
        ]
        self._new = {}

        def write(database: sqlite3.Connection) -> _Entries:
            database.execute("BEGIN IMMEDIATE")
            entries, now = _entries(database), time.time()
            for name, size, mean in new:
                _add(entries, name, size, mean, _WEIGHT)
                row = (name, size, *entries[name][size], now)
                database.execute("REPLACE INTO costs VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            database.execute(_FORGET, (_MOST,))
            database.execute("COMMIT")
            return entries

        written = self._use(write) if new else self._entries
        if written is not None:
            self._entries = written
            return
        for name, size, mean in new:
            _add(self._entries, name, size, mean, _WEIGHT)

    def _use(self, work: Callable[[sqlite3.Connection], T]) -> T | None:
        """Open the database, which only its owner may read; None if that or the work fails."""
        path = self._path
        if path is None or path in _unusable:
            return None
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600))
            with closing(
                sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
            ) as database:
                database.execute(_TABLE)
                return work(database)
        except (OSError, ValueError, TypeError, sqlite3.Error) as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
                return None  # others write without a pause: a measurement less does no harm
            _unusable.add(path)
            warnings.warn(
                f"the cost book {path} cannot be used ({error}), so costs are guessed; delete it, "
                "or set stratum.costs.path to another file or to false",
                stacklevel=2,
            )
            return None


_unusable: set[Path] = set()


def _entries(database: sqlite3.Connection) -> _Entries:
    entries: _Entries = {}
    query = "SELECT kind, size, times, seconds, nbytes, given, rounds FROM costs"
    for name, size, times, *means in database.execute(query):
        mean = _Mean(int(times), *map(float, means))
        if all(map(math.isfinite, mean)) and mean.rounds > 0 and mean.times > 0:
            entries.setdefault(str(name), {})[int(size)] = mean
    return entries


def _add(entries: _Entries, name: str, size: int, mean: _Mean, most: float) -> None:
    sizes = entries.setdefault(name, {})
    sizes[size] = sizes[size].plus(mean, most) if size in sizes else mean


def open_book() -> Book:
    """Open the book that the configuration names.

    ``stratum.costs.path`` is a file, null for one in the user's cache directory, or false.

    Raises
    ------
    ConfigError
        If it is anything else.
    """
    path = dask.config.get("stratum.costs.path")
    if path is False:
        return Book()
    if path is not None and (isinstance(path, bool) or not isinstance(path, str | Path)):
        raise ConfigError(f"stratum.costs.path is {path!r}; give a file, null or false")
    return Book(_default() if path is None else Path(path).expanduser())


def _default() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME", "")
    root = Path(cache) if os.path.isabs(cache) else Path.home() / ".cache"
    return root / "stratum_dask" / "costs-1.sqlite"


# -- graphs ------------------------------------------------------------------------------------


def estimate(graph: Graph, book: Book | None = None) -> dict[Key, Cost]:
    """Say what each task of a graph will take.

    Parameters
    ----------
    graph : Graph
        At any stage of the pipeline.
    book : Book, optional
        The configured one by default.

    Returns
    -------
    dict of key to Cost
        What was never measured is guessed by what is called and by the size of its input; the
        sizes of values that tasks make are estimates themselves.
    """
    return estimate_works(works_of(graph), book)


def estimate_works(works: Iterable[Work], book: Book | None = None) -> dict[Key, Cost]:
    """Do the same from the calls of a graph, as :func:`works_of` returns them."""
    book = book or open_book()
    sizes: dict[str, int] = {}
    costs: dict[Key, Cost] = {}
    alike: dict[tuple[str, int, int], Cost] = {}  # a batch does few things often
    for work in works:
        if not work.kind:
            cost = Cost(0.0, work.nbytes, True)
        else:
            given = sum([sizes.get(source, 0) for source in work.sources])
            what = work.kind, given, work.rounds
            found = alike.get(what)
            if found is None:
                found = alike[what] = book.find(Kind(*what)) or Cost(*guess(*what), False)
            cost = found._replace(nbytes=work.nbytes) if work.nbytes else found
        sizes[work.label] = cost.nbytes
        before = costs.get(work.key)
        if before is not None:  # an earlier step of the same task
            known = before.known and cost.known
            cost = Cost(before.seconds + cost.seconds, cost.nbytes, known)
        costs[work.key] = cost
    return costs


def learn(book: Book, graph: Graph, spent: Mapping[str, Spent]) -> None:
    """Record in a book what the tasks of a graph took, and write it.

    Parameters
    ----------
    book : Book
    graph : Graph
        As it was run.
    spent : mapping of str to Spent
        By task, and by step where several were packed; what is not there is left out.
    """
    sizes: dict[str, int] = {}
    for work in works_of(graph):
        if not work.kind:
            sizes[work.label] = work.nbytes
        elif (its := spent.get(work.label)) is not None:
            sizes[work.label] = its.nbytes
            if all(source in sizes for source in work.sources):
                given = sum(sizes[source] for source in work.sources)
                book.record(Kind(work.kind, given, work.rounds), its.seconds, its.nbytes)
    book.flush()
