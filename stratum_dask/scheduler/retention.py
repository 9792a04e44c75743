"""Which results to keep when nobody asks for them any more: the policy, without a cluster.

A value's worth is the time that it saves per byte. Values that are not used again grow old: each
one that is dropped raises the mark that newcomers, and those that are used again, start from
(GreedyDual-Size-Frequency).
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass

Key = Hashable


@dataclass(slots=True)
class Kept:
    """A value that is kept.

    Attributes
    ----------
    nbytes : int
    seconds : float
        What computing it again would take.
    reuse : float
        How often that is expected.
    worker : str
        Where it is.
    rank : float
        Its worth and the mark at the time when it was used last; the least goes first.
    number : int
        Tells its valid entry in the queue from outdated ones.
    """

    nbytes: int
    seconds: float
    reuse: float
    worker: str
    rank: float
    number: int = 0


class Retention:
    """Keeps the values that save most time per byte.

    Parameters
    ----------
    budget : int
        Bytes that all values together may take.

    Attributes
    ----------
    nbytes : int
        Bytes of all values that are kept; never more than the budget.
    by_worker : dict of str to int
        Bytes by worker.
    evictions : int
        How many values were dropped to make room.

    Examples
    --------
    >>> policy = Retention(100)
    >>> policy.offer("a", nbytes=60, seconds=1.0, reuse=1.0, worker="w")
    (True, [])
    >>> policy.offer("b", nbytes=60, seconds=2.0, reuse=1.0, worker="w")
    (True, ['a'])
    >>> policy.offer("c", nbytes=60, seconds=0.1, reuse=1.0, worker="w")
    (False, [])
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.nbytes = 0
        self.by_worker: dict[str, int] = {}
        self.evictions = 0
        self._kept: dict[Key, Kept] = {}
        self._mark = 0.0
        self._heap: list[tuple[float, int, Key]] = []
        self._number = 0

    def __len__(self) -> int:
        return len(self._kept)

    def __contains__(self, key: Key) -> bool:
        return key in self._kept

    def __iter__(self) -> Iterator[Key]:
        return iter(self._kept)

    @property
    def kept(self) -> Mapping[Key, Kept]:
        """What is kept, by key."""
        return self._kept

    def offer(
        self,
        key: Key,
        *,
        nbytes: int,
        seconds: float,
        reuse: float,
        worker: str,
        share: int | None = None,
    ) -> tuple[bool, list[Key]]:
        """Keep a value if it is worth more than what it takes the place of.

        Parameters
        ----------
        key : key
        nbytes : int
        seconds, reuse : float
            See :class:`Kept`.
        worker : str
        share : int, optional
            Bytes that may be kept on this worker.

        Returns
        -------
        kept : bool
        dropped : list of keys
            What must be released now; empty if the value is not kept.
        """
        if key in self._kept:
            self.drop(key)
        one = Kept(nbytes, seconds, reuse, worker, self._rank(seconds, reuse, nbytes))
        chosen: list[Key] = []
        here = self.by_worker.get(worker, 0)
        if self.nbytes + nbytes > self.budget or (share is not None and here + nbytes > share):
            found = self._worth_less(one, share)
            if found is None:
                return False, []
            chosen = found
            for old in chosen:
                self._mark = max(self._mark, self._kept[old].rank)
                self.drop(old)
                self.evictions += 1
        self._kept[key] = one
        self._push(key, one)
        self.nbytes += nbytes
        self.by_worker[worker] = self.by_worker.get(worker, 0) + nbytes
        return True, chosen

    def _worth_less(self, new: Kept, share: int | None) -> list[Key] | None:
        """Return what may make room for a value; None if all that could is worth more."""
        nbytes, worker = new.nbytes, new.worker
        if nbytes > (self.budget if share is None else min(self.budget, share)):
            return None
        chosen: list[Key] = []
        passed: list[tuple[float, int, Key]] = []
        here = self.by_worker.get(worker, 0)
        total, enough = self.nbytes, True
        while total + nbytes > self.budget or (share is not None and here + nbytes > share):
            entry = self._least()
            if entry is None or entry[0] >= new.rank:
                enough = False
                break
            heapq.heappop(self._heap)
            passed.append(entry)
            one = self._kept[entry[2]]
            if total + nbytes > self.budget or one.worker == worker:
                chosen.append(entry[2])
                total -= one.nbytes
                here -= one.nbytes if one.worker == worker else 0
        for entry in passed:
            heapq.heappush(self._heap, entry)
        return chosen if enough else None

    def used(self, key: Key) -> None:
        """Take note that a value was used again: it is worth more than was thought."""
        one = self._kept.get(key)
        if one is not None:
            one.reuse += 1
            one.rank = self._rank(one.seconds, one.reuse, one.nbytes)
            self._push(key, one)

    def drop(self, key: Key) -> bool:
        """Forget a value that is gone or to be released; tell whether it was kept."""
        one = self._kept.pop(key, None)
        if one is None:
            return False
        self.nbytes -= one.nbytes
        left = self.by_worker.get(one.worker, 0) - one.nbytes
        if left:
            self.by_worker[one.worker] = left
        else:  # values of no bytes may be left, which do not count
            self.by_worker.pop(one.worker, None)
        return True

    def shrink(self, worker: str, nbytes: int) -> list[Key]:
        """Drop the least worthy values of a worker that is short of memory.

        Parameters
        ----------
        worker : str
        nbytes : int
            How much to free, at least; or all that is kept there.

        Returns
        -------
        list of keys
            What must be released now.
        """
        here = [
            (one.rank, one.number, key) for key, one in self._kept.items() if one.worker == worker
        ]
        heapq.heapify(here)
        dropped: list[Key] = []
        while here and nbytes > 0:
            rank, _, key = heapq.heappop(here)
            nbytes -= self._kept[key].nbytes
            self._mark = max(self._mark, rank)
            self.drop(key)
            self.evictions += 1
            dropped.append(key)
        return dropped

    def _rank(self, seconds: float, reuse: float, nbytes: int) -> float:
        return self._mark + seconds * reuse / max(nbytes, 1)

    def _push(self, key: Key, one: Kept) -> None:
        self._number += 1
        one.number = self._number
        heapq.heappush(self._heap, (one.rank, one.number, key))
        if len(self._heap) > 4 * len(self._kept) + 64:
            self._heap = [(one.rank, one.number, key) for key, one in self._kept.items()]
            heapq.heapify(self._heap)

    def _least(self) -> tuple[float, int, Key] | None:
        """Return the heap's entry of what is worth least; outdated ones are removed."""
        heap = self._heap
        while heap:
            entry = heap[0]
            one = self._kept.get(entry[2])
            if one is not None and one.number == entry[1]:
                return entry
            heapq.heappop(heap)
        return None
