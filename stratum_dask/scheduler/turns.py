"""Whose turn it is: clients share the cluster, whoever came first.

Dask runs what was submitted first, all of it. Here the tasks of a client follow one another in
virtual time, each after the seconds that the one before is expected to take (start-time fair
queueing). A client that comes later starts where the others have got to, so that its tasks and
theirs are run in turns. Places take the middle of Dask's priorities, (user's, generation, order):
what users say comes first, the order within a batch stays, and nothing is held back while a
thread is idle.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Any

from stratum_dask.scheduler.messages import Key


class _Line:
    """What one client waits for.

    Attributes
    ----------
    places : deque of float
        In virtual time, of its tasks that are not done; which of them was done does not matter.
    end : float
        Where its next task comes.
    """

    __slots__ = ("end", "places")

    def __init__(self, start: float) -> None:
        self.places: deque[float] = deque()
        self.end = start


class Turns:
    """The places of all tasks that wait or run.

    Parameters
    ----------
    start : float
        Behind what was submitted before, whose places are Dask's generations.
    """

    def __init__(self, start: float) -> None:
        self._now = start
        self._lines: dict[str, _Line] = {}
        self._line_of: dict[Key, _Line] = {}
        # Of what was done since nobody waited: how many tasks, and their time in both measures.
        self._done = 0
        self._virtual = self._real = 0.0

    @property
    def end(self) -> float:
        """A place behind all tasks."""
        return max([self._now, *(line.end for line in self._lines.values())])

    def submitted(self, scheduler: Any, client: str, keys: Iterable[Key]) -> None:
        """Give tasks their places.

        Parameters
        ----------
        scheduler : distributed.Scheduler
        client : str
        keys : iterable of keys
            What it has submitted; tasks that it has found there keep their place, or get a better
            one.
        """
        tasks = [ts for key in keys if (ts := scheduler.tasks.get(key)) is not None]
        # Tasks that tasks have submitted come before everything else, as Dask has it: negative.
        tasks = [ts for ts in tasks if ts.priority and ts.priority[1] >= 0]
        tasks.sort(key=lambda ts: ts.priority)
        now = self._pass()
        line = self._lines.setdefault(client, _Line(now))
        place = max(now, line.end)
        # Nobody knows what tasks take that never ran: as much as others, in either time.
        second = self._virtual / self._real if self._real else 1.0
        other = self._real / self._done if self._done else scheduler.UNKNOWN_TASK_DURATION
        for ts in tasks:
            if ts.key in self._line_of:
                _advance(scheduler, ts, place)
            elif ts.state == "released":
                ts.priority = (ts.priority[0], place, *ts.priority[2:])
                self._line_of[ts.key] = line
                line.places.append(place)
                expected = ts.prefix.duration_average
                place += (expected if expected >= 0 else other) * second
        line.end = place

    def done(self, key: Key, seconds: float) -> None:
        """Take note that a task was computed in so many seconds, or that nobody waits for it."""
        line = self._line_of.pop(key, None)
        if line is None:
            return
        place = line.places.popleft()
        if seconds:
            self._done += 1
            self._real += seconds
            self._virtual += (line.places[0] if line.places else line.end) - place

    def _pass(self) -> float:
        """Return how far the clients have got, that which is furthest behind."""
        self._lines = {name: line for name, line in self._lines.items() if line.places}
        if self._lines:
            self._now = min(line.places[0] for line in self._lines.values())
        else:
            self._done, self._virtual, self._real = 0, 0.0, 0.0
        return self._now


def _advance(scheduler: Any, ts: Any, place: float) -> None:
    """Give a task that waits a better place; workers have been told of those that do not wait."""
    if place >= ts.priority[1] or ts.state not in ("waiting", "queued", "no-worker"):
        return
    better = (ts.priority[0], place, *ts.priority[2:])
    if ts.state == "queued":  # where tasks are sorted by priority
        scheduler.queued.discard(ts)
        ts.priority = better
        scheduler.queued.add(ts)
    else:
        ts.priority = better
