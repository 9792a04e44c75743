"""What becomes of every candidate of every plan, for people to see."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

Key = Hashable
_FINISHED = 10_000
"""Candidates that are remembered after they have ended."""


@dataclass(slots=True)
class Candidate:
    """One candidate of a plan.

    Attributes
    ----------
    plan, client, name : str
    status : {"waiting", "running", "done", "failed", "cancelled"}
    left : int
        Of the tasks that it ends with.
    """

    plan: str
    client: str
    name: str
    left: int
    status: str = "waiting"


class Accounting:
    """Follows candidates by the tasks that each ends with.

    Parameters
    ----------
    scheduler : distributed.Scheduler
        Is asked which of them run, when somebody wants to know.
    """

    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler
        self._of: dict[Key, list[Candidate]] = {}
        self._open: dict[tuple[str, str], Candidate] = {}
        self._ended: deque[Candidate] = deque(maxlen=_FINISHED)
        self._counts = dict.fromkeys(("waiting", "running", "done", "failed", "cancelled"), 0)

    @property
    def counts(self) -> dict[str, int]:
        """How many candidates have each status."""
        self._look()
        return self._counts

    def announce(
        self, plan: str, client: str, candidates: Sequence[tuple[str, Sequence[Key]]]
    ) -> None:
        """Take note of the candidates of a plan; of those that are known already, nothing."""
        for name, ends in candidates:
            if (plan, name) in self._open or not ends:
                continue
            one = self._open[plan, name] = Candidate(plan, client, name, len(ends))
            self._counts["waiting"] += 1
            for key in ends:
                self._of.setdefault(key, []).append(one)

    def ended(self, key: Key, status: str) -> None:
        """Take note that a task is "done", "failed", or "cancelled" if it was not done."""
        for one in self._of.pop(key, ()):
            one.left -= 1
            if one.status not in ("waiting", "running"):
                continue
            if not one.left or status != "done":
                self._end(one, status)
            elif one.status == "waiting":
                self._move(one, "running")

    def forget(self, keys: Iterable[Key]) -> None:
        """Remove candidates that end with tasks that were never submitted."""
        for key in keys:
            for one in self._of.pop(key, ()):
                if self._open.pop((one.plan, one.name), None) is not None:
                    self._counts[one.status] -= 1

    def listed(self, most: int = 1_000) -> list[dict[str, Any]]:
        """Return candidates as plain data: those that run or wait, then those that have ended."""
        self._look()
        found = [*self._open.values(), *reversed(self._ended)][:most]
        return [
            {"plan": one.plan, "client": one.client, "name": one.name, "status": one.status}
            for one in found
        ]

    def _look(self) -> None:
        """Look which candidates have begun, or were done before they were announced."""
        tasks = self._scheduler.tasks
        for key, those in list(self._of.items()):
            ts = tasks.get(key)
            if ts is None:
                continue
            if ts.state == "memory":
                self.ended(key, "done")
            elif ts.state == "processing":
                for one in those:
                    if one.status == "waiting":
                        self._move(one, "running")

    def _move(self, one: Candidate, status: str) -> None:
        self._counts[one.status] -= 1
        self._counts[status] += 1
        one.status = status

    def _end(self, one: Candidate, status: str) -> None:
        self._move(one, status)
        self._open.pop((one.plan, one.name), None)
        self._ended.append(one)
