"""What each worker computes with: values are found by clients that compute with the same."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

from stratum_dask.environment import Environment, report
from stratum_dask.scheduler.asking import ask_worker
from stratum_dask.scheduler.registry import Value

logger = logging.getLogger("distributed.stratum")

_MOST = 64
"""Workers that are gone and that it is not looked for yet."""
_PATIENCE = 60.0
"""Seconds to wait for a worker's answer."""


class Makers:
    """The workers' environments, asked for as soon as anybody may want what they make.

    Workers of clusters that nobody shares need not import anything.

    Parameters
    ----------
    scheduler : distributed.Scheduler
    """

    def __init__(self, scheduler: Any) -> None:
        self._scheduler = scheduler
        self._found: dict[str, Environment | None] = {}
        self._asking: set[asyncio.Task[None]] = set()
        self._is_wanted = False
        self._most = _MOST

    def __len__(self) -> int:
        return len(self._found)

    def want(self) -> None:
        """Ask the workers, and from now on every new one."""
        if not self._is_wanted:
            self._is_wanted = True
            for address in self._scheduler.workers:
                self.add(address)

    def add(self, address: str) -> None:
        """Take note of a new worker."""
        if self._is_wanted:
            task = asyncio.get_running_loop().create_task(self._learn(address))
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    def forget(self, values: Iterable[Value]) -> None:
        """Forget workers that are gone, if there are many, but for those that made some values."""
        if len(self._found) <= len(self._scheduler.workers) + self._most:
            return
        wanted = {ws.server_id for ws in self._scheduler.workers.values()}
        wanted.update(value.maker for value in values)
        self._found = {maker: made for maker, made in self._found.items() if maker in wanted}
        self._most = len(self._found) + _MOST

    def close(self) -> None:
        """Wait for no answer any more."""
        for one in self._asking:
            one.cancel()

    def of(self, maker: str) -> Environment | None:
        """Return the environment of the worker with this id; None while it is not known."""
        return self._found.get(maker)

    def now(self) -> list[Environment | None]:
        """Return those of all workers that there are."""
        return [self._found.get(ws.server_id) for ws in self._scheduler.workers.values()]

    def agree_on(self, threads: int) -> bool:
        """Tell whether all workers give tasks so many inner threads."""
        return all(one is not None and one.threads == threads for one in self.now())

    def others(self, environment: str) -> list[str]:
        """Return the addresses of some workers that compute with something else."""
        found = [
            ws.address
            for ws in self._scheduler.workers.values()
            if (made := self._found.get(ws.server_id)) is not None and made.name != environment
        ]
        return found[:10]

    async def _learn(self, address: str) -> None:
        scheduler = self._scheduler
        ws = scheduler.workers.get(address)
        if ws is None:
            return
        found = None
        try:
            answer = await ask_worker(scheduler, address, report, _PATIENCE)
            if answer is not None:
                name, threads = answer
                found = Environment(str(name), int(threads))
        except Exception as error:  # the worker is gone, or has no stratum_dask
            logger.debug("worker %s did not say what it computes with: %r", address, error)
        if found is None and address in scheduler.workers:
            logger.warning(
                "worker %s did not say what it computes with; its results are not shared. "
                "Is stratum_dask installed there?",
                address,
            )
        self._found[ws.server_id] = found
        different = {one.name for one in self.now() if one is not None}
        if len(different) > 1:
            logger.warning(
                "the workers compute with %d different sets of library versions or processors: "
                "each client shares only values made as its own would be",
                len(different),
            )
