"""What became of announced values: noted in the hook, looked at together when somebody asks.

Noting takes a fraction of what is made of the notes, and the scheduler waits for the hook.
"""

from __future__ import annotations

from typing import Any

from stratum_dask.scheduler.accounting import Accounting
from stratum_dask.scheduler.learning import Learning
from stratum_dask.scheduler.pace import Paces
from stratum_dask.scheduler.registry import Value


class Journal:
    """Notes of which candidates, plans and kinds of tasks are told when one of them is asked for.

    Parameters
    ----------
    scheduler : distributed.Scheduler
    """

    def __init__(self, scheduler: Any) -> None:
        self._accounting, self._paces = Accounting(scheduler), Paces()
        self._learning = Learning()
        self._news: list[tuple[Value, str, float, float, int, int, int]] = []

    def computed(
        self, value: Value, seconds: float, ended: float, threads: int, given: int, nbytes: int
    ) -> None:
        """Note that a value is in memory.

        Parameters
        ----------
        value : Value
        seconds, ended : float
            How long its task ran, and until when; 0 if it did not.
        threads : int
            Of the cluster.
        given, nbytes : int
            Bytes of what it was computed from, and of itself.
        """
        self._news.append((value, "done", seconds, ended, threads, given, nbytes))

    def ended(self, value: Value, status: str) -> None:
        """Note that a value "failed", or is "cancelled" if it was not computed."""
        self._news.append((value, status, 0.0, 0.0, 0, 0, 0))

    @property
    def accounting(self) -> Accounting:
        """What became of candidates."""
        self.settle()
        return self._accounting

    @property
    def paces(self) -> Paces:
        """How fast plans ran."""
        self.settle()
        return self._paces

    @property
    def learning(self) -> Learning:
        """What tasks took."""
        self.settle()
        return self._learning

    def settle(self) -> None:
        """Look at what was noted."""
        news, self._news = self._news, []
        for value, status, seconds, ended, threads, given, nbytes in news:
            self._accounting.ended(value.key, status)
            if ended:
                self._paces.add(value.plan, ended - seconds, ended, threads)
                if value.work is not None and value.ours:
                    self._learning.add(*value.work, given, seconds, nbytes)
