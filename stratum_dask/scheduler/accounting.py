"""What becomes of every candidate of every plan, for people to see."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Sequence
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

    What happens is only noted, and looked at together when somebody asks: that costs a third.
    """

    def __init__(self) -> None:
        self._of: dict[Key, list[Candidate]] = {}
        self._open: dict[tuple[str, str], Candidate] = {}
        self._ended: deque[Candidate] = deque(maxlen=_FINISHED)
        self._counts = dict.fromkeys(("waiting", "running", "done", "failed", "cancelled"), 0)
        self._news: list[tuple[Key, str]] = []

    def note(self, key: Key, status: str) -> None:
        """Take note that a task is "running", "done", "failed", or "cancelled" if not done."""
        self._news.append((key, status))

    @property
    def counts(self) -> dict[str, int]:
        """How many candidates have each status."""
        self.settle()
        return self._counts

    def announce(
        self, plan: str, client: str, candidates: Sequence[tuple[str, Sequence[Key]]]
    ) -> None:
        """Take note of the candidates of a plan; of those that are known already, nothing."""
        self.settle()
        for name, ends in candidates:
            if (plan, name) in self._open or not ends:
                continue
            one = self._open[plan, name] = Candidate(plan, client, name, len(ends))
            self._counts["waiting"] += 1
            for key in ends:
                self._of.setdefault(key, []).append(one)

    def settle(self) -> None:
        """Look at what was noted."""
        news, self._news = self._news, []
        for key, status in news:
            if status == "running":
                for one in self._of.get(key, ()):
                    if one.status == "waiting":
                        self._move(one, status)
                continue
            for one in self._of.pop(key, ()):
                one.left -= 1
                is_over = not one.left or status != "done"
                if is_over and one.status in ("waiting", "running"):
                    self._end(one, status)

    def forget(self, plan: str) -> None:
        """Remove a plan that was never submitted."""
        self.settle()
        for key, those in list(self._of.items()):
            left = [one for one in those if one.plan != plan]
            if left:
                self._of[key] = left
            else:
                del self._of[key]
        for found in [found for found in self._open if found[0] == plan]:
            self._counts[self._open.pop(found).status] -= 1

    def listed(self, most: int = 1_000) -> list[dict[str, Any]]:
        """Return candidates as plain data: those that run or wait, then those that have ended."""
        self.settle()
        found = [*self._open.values(), *reversed(self._ended)][:most]
        return [
            {"plan": one.plan, "client": one.client, "name": one.name, "status": one.status}
            for one in found
        ]

    def _move(self, one: Candidate, status: str) -> None:
        self._counts[one.status] -= 1
        self._counts[status] += 1
        one.status = status

    def _end(self, one: Candidate, status: str) -> None:
        self._move(one, status)
        self._open.pop((one.plan, one.name), None)
        self._ended.append(one)
