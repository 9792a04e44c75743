"""What processes have counted: workers, which are asked while somebody looks, and clients."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import Counter, OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

from stratum_dask.ops.counters import Counters, Fallback, total
from stratum_dask.runtime.counting import here
from stratum_dask.scheduler.asking import ask_worker
from stratum_dask.store.access import tally

logger = logging.getLogger("distributed.stratum")

_EVERY = 5.0
"""Seconds between two times that workers are asked."""
_PATIENCE = 5.0
_MOST = 50
"""Operations and reasons that are shown of each kind."""
_CLIENTS = 1_000
"""Processes of clients that are remembered."""

Process = tuple[str, int]


class Counted(NamedTuple):
    """What one process has counted since it was started.

    Attributes
    ----------
    process : tuple of (str, int)
        Machine and number: workers may share one.
    calls : Counters
    store : dict of str to int
        As of :func:`stratum_dask.store.access.tally`.
    """

    process: Process
    calls: Counters
    store: dict[str, int]


def counted() -> str:
    """Return what this process has counted, as JSON."""
    process, calls = here()
    fallbacks = [[*one, times] for one, times in calls.fallbacks.items()]
    return json.dumps([process, calls.hits, fallbacks, tally()])


def _counted(said: Any) -> Counted:
    """Return what a process has counted from what it said of that, which may be anything."""
    (host, number), hits, fallbacks, store = said
    calls = Counters(
        {str(name): int(times) for name, times in hits.items()},
        {Fallback(*map(str, one)): int(times) for *one, times in fallbacks},
    )
    return Counted((str(host), int(number)), calls, {str(k): int(n) for k, n in store.items()})


class Counts:
    """The counts of workers and clients."""

    def __init__(self) -> None:
        self._asked = 0.0
        self._workers: dict[Process, Counted] = {}
        self._clients: OrderedDict[Process, Mapping[str, int]] = OrderedDict()

    async def ask(self, scheduler: Any) -> None:
        """Ask all workers, at most every few seconds."""
        if time.monotonic() < self._asked + _EVERY:
            return
        self._asked = time.monotonic()
        found = await asyncio.gather(*(_ask(scheduler, one) for one in list(scheduler.workers)))
        self._workers = {one.process: one for one in found if one is not None}

    def told(self, process: Process, store: Mapping[str, int]) -> None:
        """Take note of what a client's process has counted of its stores."""
        self._clients[process] = store
        self._clients.move_to_end(process)
        while len(self._clients) > _CLIENTS:
            self._clients.popitem(last=False)

    def kernels(self) -> dict[str, Any]:
        """Return what ran natively on the workers and what did not, most frequent first."""
        counts = total(one.calls for one in self._workers.values())
        reasons: Counter[tuple[str, str]] = Counter()
        for one, times in counts.fallbacks.items():
            reasons[one.operation, one.reason] += times
        return {
            "hits": dict(Counter(counts.hits).most_common(_MOST)),
            "fallbacks": [
                {"operation": operation, "reason": reason, "times": times}
                for (operation, reason), times in reasons.most_common(_MOST)
            ],
        }

    def store(self) -> dict[str, Any]:
        """Return what became of values in stores; reasons of each kind, most frequent first."""
        each = {**self._clients, **{one.process: one.store for one in self._workers.values()}}
        counts: Counter[str] = Counter()
        for one in each.values():
            counts.update(one)

        def reasons(kind: str) -> dict[str, int]:
            found = Counter({k[len(kind) :]: n for k, n in counts.items() if k.startswith(kind)})
            return dict(found.most_common(_MOST))

        return {
            "hits": counts["hit"],
            "written": counts["written"],
            "misses": reasons("miss: "),
            "refused": reasons("not written: "),
            "failures": reasons("failed: "),
        }


async def _ask(scheduler: Any, address: str) -> Counted | None:
    try:
        answer = await ask_worker(scheduler, address, counted, _PATIENCE)
        return None if answer is None else _counted(answer)
    except Exception as error:  # the worker is gone or busy, or has no stratum_dask
        logger.debug("worker %s did not say what it has counted: %r", address, error)
        return None
