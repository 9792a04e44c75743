"""Which tasks took their workers down, and which were only there.

When a worker dies, Dask blames every task that the worker had been given, and ends a task that was
blamed four times. Most of a batch waits at few workers, so one task that kills them takes hundreds
along, and so does whoever kills workers from outside. Blamed tasks are therefore run again: some at
a time, and those that are blamed once more alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from functools import cached_property
from itertools import islice
from math import isqrt

from stratum_dask.graph import GraphNode, Key

_SOME = 8
"""Blamed tasks that run at a time, if there are not many."""


class Doubts:
    """What to run again of a batch, and in which company.

    Parameters
    ----------
    dsk : mapping of key to GraphNode
        The tasks of the batch.
    owners : callable
        Returns the candidate of each task that only one candidate needs; asked if there is a doubt.
    patience : int
        How often a task may be blamed until it is in doubt.

    Examples
    --------
    >>> from stratum_dask.graph import Alias
    >>> doubts = Doubts({"a": Alias("a", "x"), "b": Alias("b", "x")}, dict, patience=1)
    >>> for key in ("a", "b"):
    ...     doubts.blame(key, RuntimeError("its worker died"))
    >>> doubts.asks()
    ['a', 'b']
    >>> doubts.clear("a")
    >>> doubts.blame("b", RuntimeError("its worker died"))
    >>> doubts.asks()
    ['b']
    >>> doubts.blame("b", RuntimeError("its worker died"))
    >>> doubts.asks(), doubts.verdict("b")
    ([], RuntimeError('its worker died'))
    """

    def __init__(
        self,
        dsk: Mapping[Key, GraphNode],
        owners: Callable[[], Mapping[Key, str]],
        patience: int,
    ) -> None:
        self._dsk = dsk
        self._ask_owners = owners
        self._some, self._alone = patience, patience + 1  # times that a task was blamed
        self._blamed: Counter[Key] = Counter()
        self._guilty: dict[Key, Exception] = {}

    def blame(self, key: Key, error: Exception) -> None:
        """Note that workers died that had been given a task; if it was alone, it is guilty.

        So are then the tasks in doubt that serve the same candidate, such as fits on other folds:
        each would take some more workers.
        """
        self._blamed[key] += 1
        if self._blamed[key] <= self._alone:
            return
        owner = self._owners.get(key)
        for one in list(self._blamed):
            if one == key or (owner and self._owners.get(one) == owner):
                self._guilty[one] = error
                del self._blamed[one]

    def clear(self, key: Key) -> None:
        """Note that a task ran."""
        self._blamed.pop(key, None)

    def asks(self) -> list[Key]:
        """Return the tasks to run by themselves next; none if none is in doubt.

        None of them depends on another that is in doubt. The more there are, the more run at a
        time: a guilty one makes each of its company run alone.
        """
        for times in (self._alone, self._some):
            many = 1 if times == self._alone else max(_SOME, isqrt(len(self._blamed)))
            free = (key for key, one in self._blamed.items() if one == times and self._is_free(key))
            if asked := list(islice(free, many)):
                return asked
        return []

    def verdict(self, key: Key) -> Exception | None:
        """Return why a task cannot run, if it depends on a guilty one."""
        if self._guilty:
            for one in self._closure(key) & self._guilty.keys():
                return self._guilty[one]
        return None

    @cached_property
    def _owners(self) -> Mapping[Key, str]:
        return self._ask_owners()

    def _is_free(self, key: Key) -> bool:
        return all(
            one == key or self._blamed.get(one, 0) < self._some for one in self._closure(key)
        )

    def _closure(self, key: Key) -> set[Key]:
        """Return a task and all that it depends on."""
        found: set[Key] = set()
        left = [key]
        while left:
            one = left.pop()
            if one in self._dsk and one not in found:
                found.add(one)
                left.extend(self._dsk[one].dependencies)
        return found
