"""How fast plans run: what they took, against what they could have taken at least."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

_PLANS = 50
"""Plans that are remembered."""


@dataclass(slots=True)
class Pace:
    """One plan.

    Attributes
    ----------
    tasks : int
        Computed so far.
    work, longest : float
        Seconds of all of them, and of the longest.
    began, ended : float
        When the first began and the last ended, in seconds since the epoch.
    threads : int
        Of the cluster, when it began.
    """

    threads: int
    began: float
    ended: float
    tasks: int = 0
    work: float = 0.0
    longest: float = 0.0


class Paces:
    """The plans that ran last."""

    def __init__(self) -> None:
        self._plans: OrderedDict[str, Pace] = OrderedDict()

    def add(self, plan: str, start: float, stop: float, threads: int) -> None:
        """Take note of a task that ran from `start` to `stop`, on so many threads."""
        pace = self._plans.get(plan)
        if pace is None:
            pace = self._plans[plan] = Pace(max(threads, 1), start, stop)
            while len(self._plans) > _PLANS:
                self._plans.popitem(last=False)
        pace.began, pace.ended = min(pace.began, start), max(pace.ended, stop)
        pace.tasks += 1
        pace.work += stop - start
        pace.longest = max(pace.longest, stop - start)

    def listed(self) -> list[dict[str, Any]]:
        """Return the plans as plain data, the last one first.

        ``floor`` are the seconds below which the tasks could not get: all of them divided by the
        threads, or the longest; ``achieved`` are those from the first's begin to the last's end.
        """
        return [
            {
                "plan": name,
                "tasks": one.tasks,
                "work": one.work,
                "floor": max(one.work / one.threads, one.longest),
                "achieved": one.ended - one.began,
            }
            for name, one in reversed(self._plans.items())
        ]
