"""Where and in which order plans want their tasks to run: wishes, which Dask may override.

A task that is meant for a worker gets that as a restriction that may be broken, so that it runs
elsewhere when the worker is gone. Others do not steal it as long as its plan is on time; when a
plan takes longer than was expected, Dask balances what is left as it does all tasks.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from stratum_dask.scheduler.messages import Key

_LATE = 2.0
_GRACE = 1.0
"""A plan is late after the time that was expected, times the one, plus the other in seconds."""
_FORGET = 600.0
"""Seconds until wishes are forgotten whose tasks were never submitted."""


class _Plan:
    """One plan: when its tasks are late, in seconds since the epoch."""

    __slots__ = ("deadline", "seconds", "submitted")

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.deadline = time.time() + _FORGET
        self.submitted = False


class Wish(NamedTuple):
    """Where and when one task of a plan is meant to run."""

    plan: _Plan
    rank: int
    address: str


class Placing:
    """The wishes of all plans whose tasks have not run yet.

    Attributes
    ----------
    wishes : dict
        By the task's key.
    """

    def __init__(self) -> None:
        self.wishes: dict[Key, Wish] = {}

    def __len__(self) -> int:
        return len(self.wishes)

    def announce(self, keys: Sequence[Key], addresses: Sequence[str], seconds: float) -> None:
        """Take note of a plan.

        Parameters
        ----------
        keys : sequence of keys
            In the order in which they should begin.
        addresses : sequence of str
            The worker of each; empty where only the order matters.
        seconds : float
            How long the plan is expected to take.
        """
        plan = _Plan(seconds)
        for rank, (key, address) in enumerate(zip(keys, addresses, strict=True)):
            self.wishes[key] = Wish(plan, rank, address)

    def apply(self, scheduler: Any, keys: Iterable[Key]) -> None:
        """Tell new tasks where and in which order they should run."""
        wishes = self.wishes
        if not wishes:
            return
        for key in keys:
            wish = wishes.get(key)
            ts = scheduler.tasks.get(key)
            if wish is None or ts is None or ts.state != "released":
                continue
            if not wish.plan.submitted:
                wish.plan.submitted = True
                wish.plan.deadline = time.time() + _LATE * wish.plan.seconds + _GRACE
            if ts.worker_restrictions or ts.host_restrictions or ts.resource_restrictions:
                continue  # the user's own
            if wish.address in scheduler.workers:
                ts.worker_restrictions = {wish.address}
                ts.loose_restrictions = True
            if ts.priority:
                ts.priority = (*ts.priority[:-1], wish.rank)
            if not wish.address:
                del wishes[key]  # all is said

    def follow(self, scheduler: Any, key: Key, finish: str) -> None:
        """Keep others from stealing a task that was sent to a worker, until it is late."""
        if finish == "processing":
            stealing = scheduler.extensions.get("stealing")
            if stealing is not None:
                ts = scheduler.tasks[key]
                stealing.remove_key_from_stealable(ts)
                # Or it would come back as soon as the first task of its name is done.
                stealing.unknown_durations.get(ts.prefix.name, set()).discard(ts)
        elif finish in ("memory", "erred", "forgotten"):
            self.wishes.pop(key, None)

    def give_up(self, scheduler: Any, now: float = math.inf) -> None:
        """Leave to Dask what is late, or everything."""
        late = [key for key, wish in self.wishes.items() if wish.plan.deadline < now]
        stealing = scheduler.extensions.get("stealing")
        for key in late:
            del self.wishes[key]
            ts = scheduler.tasks.get(key)
            if ts is not None and ts.state == "processing" and stealing is not None:
                stealing.recalculate_cost(ts)
