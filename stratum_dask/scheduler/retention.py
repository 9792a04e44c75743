"""Which results to keep when nobody asks for them any more: the policy, without a cluster.

A value's worth is the time that it saves per byte. Values that are not used again grow old: each
one that is dropped raises the mark that newcomers, and those that are used again, start from
(GreedyDual-Size-Frequency).
"""

from __future__ import annotations

import heapq
from collections.abc import Generator, Hashable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass

Key = Hashable
Entry = tuple[float, int, Key]
"""Rank and number of what is kept, and its key."""

_MOST = 1_000
"""Values that one other may take the place of: the scheduler waits while they are found."""


@dataclass(slots=True, eq=False)
class Kept:
    """A value that is kept, or may be.

    Attributes
    ----------
    key : key
    seconds : float
        What computing it again would take.
    reuse : float
        How often that is expected.
    nbytes : int
        As which it counts while it is kept.
    worker : str
        Where it is while it is kept.
    rank : float
        Its worth and the mark at the time when it was used last; the least goes first.
    number : int
        Tells its valid entry in the queue from outdated ones.
    """

    key: Key
    seconds: float = 0.0
    reuse: float = 0.0
    nbytes: int = 0
    worker: str = ""
    rank: float = 0.0
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
    >>> policy.offer(Kept("a", seconds=1.0, reuse=1.0), 60, "w")
    (True, [])
    >>> policy.offer(Kept("b", seconds=2.0, reuse=1.0), 60, "w")
    (True, ['a'])
    >>> policy.offer(Kept("c", seconds=0.1, reuse=1.0), 60, "w")
    (False, [])
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.nbytes = 0
        self.by_worker: dict[str, int] = {}
        self.evictions = 0
        self._kept: dict[Key, Kept] = {}
        self._mark = 0.0
        self._number = 0
        self._news: list[Entry] = []
        self._queue = _Queue(self._kept)
        self._queues: dict[str, _Queue] = {}  # by worker

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
        self, one: Kept, nbytes: int, worker: str, share: int | None = None
    ) -> tuple[bool, list[Key]]:
        """Keep a value if it is worth more than what it takes the place of.

        Parameters
        ----------
        one : Kept
            With its key, seconds and reuse; the rest is filled in.
        nbytes : int
        worker : str
        share : int, optional
            Bytes that may be kept on this worker.

        Returns
        -------
        kept : bool
        dropped : list of keys
            What must be released now; empty if the value is not kept.
        """
        key = one.key
        if key in self._kept:
            self.drop(key)
        self._number += 1
        one.nbytes, one.worker, one.number = nbytes, worker, self._number
        one.rank = self._rank(one)
        dropped: list[Key] = []
        here = self.by_worker.get(worker, 0)
        if self.nbytes + nbytes > self.budget or (share is not None and here + nbytes > share):
            found = self._worth_less(one, share)
            if found is None:
                return False, []
            dropped = found
            for old in dropped:
                self._mark = max(self._mark, self._kept[old].rank)
                self.drop(old)
                self.evictions += 1
        self._kept[key] = one
        self.nbytes += nbytes
        self.by_worker[worker] = self.by_worker.get(worker, 0) + nbytes
        self._news.append((one.rank, one.number, key))
        return True, dropped

    def _worth_less(self, new: Kept, share: int | None) -> list[Key] | None:
        """Return what may make room for a value; None if all that could is worth more."""
        nbytes = new.nbytes
        if nbytes > (self.budget if share is None else min(self.budget, share)):
            return None
        self.settle()
        chosen: dict[Key, int] = {}
        over = 0 if share is None else self.by_worker.get(new.worker, 0) + nbytes - share
        if not self._choose(self._queues.get(new.worker), new.rank, over, chosen):
            return None
        over = self.nbytes + nbytes - self.budget - sum(chosen.values())
        if not self._choose(self._queue, new.rank, over, chosen):
            return None
        return list(chosen)

    def _choose(self, queue: _Queue | None, rank: float, over: int, chosen: dict[Key, int]) -> bool:
        """Choose what is worth less than a rank until so many bytes are free; tell whether."""
        if over <= 0:
            return True
        if queue is None:
            return False
        with closing(queue.below(rank)) as least:
            for key in least:
                if key in chosen:
                    continue
                if len(chosen) == _MOST:
                    return False
                chosen[key] = self._kept[key].nbytes
                over -= chosen[key]
                if over <= 0:
                    return True
        return False

    def used(self, key: Key) -> None:
        """Take note that a value was used again: it is worth more than was thought."""
        one = self._kept.get(key)
        if one is not None:
            one.reuse += 1
            one.rank = self._rank(one)
            self._renew(key, one)

    def drop(self, key: Key) -> bool:
        """Forget a value that is gone or to be released; tell whether it was kept."""
        one = self._kept.pop(key, None)
        if one is None:
            return False
        self.nbytes -= one.nbytes
        self._leave(one)
        return True

    def move(self, key: Key, worker: str) -> None:
        """Take note that a value that is kept is on another worker now."""
        one = self._kept[key]
        self._leave(one)
        one.worker = worker
        self.by_worker[worker] = self.by_worker.get(worker, 0) + one.nbytes
        self._renew(key, one)

    def on(self, worker: str) -> list[Key]:
        """Return what is kept on a worker, least worthy first."""
        self.settle()
        queue = self._queues.get(worker)
        return [] if queue is None else list(queue.below(float("inf")))

    def forget(self, worker: str) -> None:
        """Remove what is left of a worker that is gone, where nothing is kept any more."""
        self._queues.pop(worker, None)

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
        self.settle()
        dropped: list[Key] = []
        queue = self._queues.get(worker)
        while queue is not None and nbytes > 0 and (least := queue.least()) is not None:
            rank, _, key = least
            nbytes -= self._kept[key].nbytes
            self._mark = max(self._mark, rank)
            self.drop(key)
            self.evictions += 1
            dropped.append(key)
        return dropped

    def _rank(self, one: Kept) -> float:
        return self._mark + one.seconds * one.reuse / max(one.nbytes, 1)

    def _renew(self, key: Key, one: Kept) -> None:
        self._number += 1
        one.number = self._number
        self._news.append((one.rank, one.number, key))

    def settle(self) -> None:
        """Sort what has come since the last time: all at once, which takes less."""
        news, self._news = self._news, []
        for entry in news:
            one = self._kept.get(entry[2])
            if one is None or one.number != entry[1]:
                continue
            self._queue.push(entry)
            queue = self._queues.get(one.worker)
            if queue is None:
                queue = self._queues[one.worker] = _Queue(self._kept)
            queue.push(entry)

    def _leave(self, one: Kept) -> None:
        left = self.by_worker.get(one.worker, 0) - one.nbytes
        if left:
            self.by_worker[one.worker] = left
        else:  # values of no bytes may be left, which do not count
            self.by_worker.pop(one.worker, None)


class _Queue:
    """Values by rank; an entry is valid as long as it has the number of what is kept.

    Parameters
    ----------
    kept : mapping of key to Kept
    """

    def __init__(self, kept: Mapping[Key, Kept]) -> None:
        self._kept = kept
        self._heap: list[Entry] = []
        self._most = 64

    def push(self, entry: Entry) -> None:
        """Add an entry; from time to time those that are not valid any more are removed."""
        heapq.heappush(self._heap, entry)
        if len(self._heap) > self._most:
            self._heap = [one for one in self._heap if self._is_valid(one)]
            heapq.heapify(self._heap)
            self._most = 2 * len(self._heap) + 64

    def least(self) -> Entry | None:
        """Return the entry of what is worth least."""
        while self._heap:
            if self._is_valid(self._heap[0]):
                return self._heap[0]
            heapq.heappop(self._heap)
        return None

    def below(self, rank: float) -> Generator[Key]:
        """Yield what is worth less, the least first; all stays where it is."""
        passed: list[Entry] = []
        try:
            while (entry := self.least()) is not None and entry[0] < rank:
                passed.append(heapq.heappop(self._heap))
                yield entry[2]
        finally:
            for one in passed:
                heapq.heappush(self._heap, one)

    def _is_valid(self, entry: Entry) -> bool:
        one = self._kept.get(entry[2])
        return one is not None and one.number == entry[1]
