"""Results that are kept alive, as if a client wanted them; let go between transitions only."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Hashable, Sequence
from typing import Any

import dask

from stratum_dask.scheduler.registry import Value
from stratum_dask.scheduler.retention import Retention

Key = Hashable

LEAST = 8192
"""Bytes as which a value counts at least: its key takes as much of the scheduler and a worker."""
_RELEASES = 1_000
"""Keys to release in one turn of the event loop."""
_HOLD = 10.0
"""Seconds within which a client says by another way that it wants what it has found."""


class Pins:
    """Keeps values by the policy of :class:`~stratum_dask.scheduler.retention.Retention`.

    Parameters
    ----------
    scheduler : distributed.Scheduler
    budget : int
        Bytes that all values together may take.
    share : float
        The part of a worker's memory that they may take.

    Attributes
    ----------
    client : str
        The name under which the scheduler is told to keep values: one that no other plugin has,
        or it would release what this one keeps.
    retention : Retention
    kept : mapping of key to Kept
        What is kept.
    refused : int
        How many values were not kept.
    """

    def __init__(self, scheduler: Any, budget: int, share: float) -> None:
        self._scheduler, self._share = scheduler, share
        self.client = f"stratum-retention-{uuid.uuid4().hex[:12]}"
        self.retention = Retention(budget)
        self.kept = self.retention.kept
        self.refused = 0
        self._releases: deque[Key] = deque()
        self._rooms: dict[str, int | None] = {}  # as they were when the workers were looked at last
        self._held: dict[str, asyncio.TimerHandle] = {}

    def offer(self, value: Value, ts: Any, ws: Any) -> None:
        """Keep a value that a worker has, if it is worth that."""
        if not (ts.who_wants or ts.waiters):
            return  # on its way out
        worker = ws.address
        if worker not in self._rooms:
            self._rooms[worker] = self._room_on(ws)
        nbytes, share = max(ts.nbytes, LEAST), self._rooms[worker]
        kept, dropped = self.retention.offer(value, nbytes, worker, share)
        for key in dropped:
            self._release(key)
        if kept:
            self._want(ts)
        else:
            self.refused += 1

    def hold(self, keys: Sequence[Key]) -> None:
        """Keep values for some seconds, whatever they are worth."""
        holder = f"{self.client}-{uuid.uuid4().hex[:12]}"
        self._scheduler.client_desires_keys(keys, holder)
        loop = asyncio.get_running_loop()
        self._held[holder] = loop.call_later(_HOLD, self._let_go, holder)

    def _let_go(self, holder: str) -> None:
        self._held.pop(holder).cancel()
        clients = self._scheduler.clients
        if holder in clients:
            keys = [ts.key for ts in clients[holder].wants_what]
            self._scheduler.client_releases_keys(keys, holder)
            del clients[holder]

    def drop(self, key: Key) -> None:
        """Keep a value no longer, if it is kept."""
        if key in self.kept:
            self.retention.drop(key)
            self._release(key)

    def relieve(self) -> None:
        """Keep less on workers that hold more than their target, and none more where they spill."""
        self._rooms.clear()
        self.retention.settle()
        target = dask.config.get("distributed.worker.memory.target") or 1.0
        for address, kept in list(self.retention.by_worker.items()):
            ws = self._scheduler.workers.get(address)
            if ws is None or not ws.memory_limit:
                continue
            memory = ws.memory
            over = max(
                memory.managed + memory.spilled - int(ws.memory_limit * target),
                kept - int(ws.memory_limit * self._share),  # what came from workers that retired
            )
            for key in self.retention.shrink(address, over):
                self._release(key)

    def leave(self, address: str) -> None:
        """Look where values are now that were kept on a worker that is gone."""
        for key in self.retention.on(address):
            ts = self._scheduler.tasks.get(key)
            holders = ts.who_has if ts is not None else None
            if holders:
                self.retention.move(key, next(iter(holders)).address)
            else:
                self.drop(key)
        self.retention.forget(address)

    def drop_all(self) -> None:
        """Keep nothing any more."""
        for key in list(self.retention):
            self.drop(key)
        for holder in self._held:
            asyncio.get_running_loop().call_soon(self._let_go, holder)

    def _room_on(self, ws: Any) -> int | None:
        """Return how many bytes may be kept on a worker."""
        if not ws.memory_limit:
            return None
        if ws.memory.spilled:
            return self.retention.by_worker.get(ws.address, 0)
        return int(ws.memory_limit * self._share)

    def _want(self, ts: Any) -> None:
        """Want a task as ``Scheduler.client_desires_keys`` does.

        Which would tell all other clients of the value, too, who have just been told.
        """
        me = self._scheduler.clients.get(self.client)
        if me is None:
            self._scheduler.client_desires_keys([], self.client)
            me = self._scheduler.clients[self.client]
        if ts.who_wants is None:
            ts.who_wants = set()
        ts.who_wants.add(me)
        me.wants_what.add(ts)

    def _release(self, key: Key) -> None:
        self._releases.append(key)
        if len(self._releases) == 1:
            self._flush_soon()

    def _flush_soon(self) -> None:
        asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """Release what is not kept any more, a bounded number of keys at once."""
        releases, clients = self._releases, self._scheduler.clients
        now = [releases.popleft() for _ in range(min(len(releases), _RELEASES))]
        gone = [key for key in now if key not in self.retention]  # not kept again in between
        if gone and self.client in clients:
            self._scheduler.client_releases_keys(gone, self.client)
            if not clients[self.client].wants_what:
                del clients[self.client]
        if releases:
            self._flush_soon()
