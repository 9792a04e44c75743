"""What tasks of each kind took on the workers: clients enter it in their cost books.

``evaluate`` learns from the outcomes of its own tasks. What plain Dask tasks took, of all clients,
only the scheduler knows.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from typing import NamedTuple

from stratum_dask.runtime.costs import Kind

_MOST = 4_096
"""Kinds and sizes that are remembered: those seen last."""

Entry = tuple[str, int]


class Sums(NamedTuple):
    """Sums over the tasks of one kind and about one size, since the scheduler was started.

    Attributes
    ----------
    times : int
    seconds : float
    nbytes, given, rounds : float
        As of :class:`~stratum_dask.runtime.costs.Kind`, and of the values.
    """

    times: int
    seconds: float
    nbytes: float
    given: float
    rounds: float


class Learning:
    """Sums by kind and size."""

    def __init__(self) -> None:
        self._sums: OrderedDict[Entry, tuple[int, Sums]] = OrderedDict()
        self._time = 0

    def add(self, kind: str, rounds: int, given: int, seconds: float, nbytes: int) -> None:
        """Take note of a task."""
        entry = Kind(kind, given, rounds).entry
        _, old = self._sums.pop(entry, (0, Sums(0, 0.0, 0.0, 0.0, 0.0)))
        new = Sums(
            old.times + 1,
            old.seconds + seconds,
            old.nbytes + nbytes,
            old.given + given,
            old.rounds + rounds,
        )
        self._sums[entry] = self._time, new
        if len(self._sums) > _MOST:
            self._sums.popitem(last=False)

    def since(self, time: int) -> tuple[int, list[tuple[Entry, Sums]]]:
        """Return what has changed since a time that this gave before, and the time now."""
        known = time if time <= self._time else 0  # asked of a scheduler that was restarted
        found = list(self._changed(known))
        self._time += 1  # what is added now is news for whoever has asked
        return self._time, found

    def _changed(self, time: int) -> Iterator[tuple[Entry, Sums]]:
        for entry, (changed, sums) in reversed(self._sums.items()):
            if changed < time:
                return
            yield entry, sums
