"""The scheduler's side: the plugin's life, and the hooks that Dask calls.

Every hook is bounded and guarded: one that fails is logged, and switches the plugin off, which
leaves plain Dask. Nothing is released inside a transition.
"""

from __future__ import annotations

import functools
import logging
import math
import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import dask
from dask.utils import parse_bytes
from distributed.diagnostics.plugin import SchedulerPlugin
from tornado.ioloop import PeriodicCallback

from stratum_dask.graph import ANNOTATION
from stratum_dask.scheduler import figures, messages
from stratum_dask.scheduler.answers import Answers
from stratum_dask.scheduler.counts import Counts
from stratum_dask.scheduler.dashboard import add_routes
from stratum_dask.scheduler.journal import Journal
from stratum_dask.scheduler.makers import Makers
from stratum_dask.scheduler.messages import Key
from stratum_dask.scheduler.pins import Pins
from stratum_dask.scheduler.placing import Placing
from stratum_dask.scheduler.registry import Registry, Value
from stratum_dask.scheduler.turns import Turns

logger = logging.getLogger("distributed.stratum")

_WORTH_SECONDS = 0.002
"""What takes less is not kept: a task of Dask costs as much."""
_TICK = 1_000
"""Milliseconds between looks at the workers' memory."""
_PATIENCE = 600.0
"""Seconds until what was announced but not submitted is forgotten."""
_ON_THE_WAY = frozenset({"waiting", "queued", "no-worker"})
"""States that tell nothing of a value."""
_FAILURES = "stratum_dask.ops.outcomes.NoValue"

Hook = TypeVar("Hook", bound=Callable[..., Any])


def _guarded(hook: Hook) -> Hook:
    """Let a failing hook switch the plugin off instead of disturbing the scheduler."""

    @functools.wraps(hook)
    def guarded(self: StratumPlugin, *args: Any, **kwargs: Any) -> Any:
        if self.off:
            return None
        try:
            return hook(self, *args, **kwargs)
        except Exception as error:
            self.switch_off(f"its hook {hook.__name__!r} failed: {error!r}", error)
            return None

    return guarded  # type: ignore[return-value]  # the same signature


class StratumPlugin(SchedulerPlugin):
    """Lets all clients of a cluster share what any of them has computed.

    Parameters
    ----------
    retention : int or str, optional
        Bytes of results to keep when no client wants them any more, over all workers; default
        ``stratum.retention.bytes``.
    fair : bool, optional
        Whether clients take turns; default ``stratum.fair``. Otherwise what was submitted first
        runs first, as without the plugin.

    Attributes
    ----------
    off : str
        Why the plugin is switched off; empty while it works.

    Examples
    --------
    >>> from distributed import Client
    >>> client = Client(processes=False, dashboard_address=None)  # doctest: +SKIP
    >>> client.register_plugin(StratumPlugin())  # doctest: +SKIP
    """

    name = "stratum"
    idempotent = True

    def __init__(self, retention: int | str | None = None, fair: bool | None = None) -> None:
        chosen = dask.config.get("stratum.retention.bytes") if retention is None else retention
        self._budget = parse_bytes(chosen)
        self._share = float(dask.config.get("stratum.retention.worker-share"))
        self._is_fair = bool(dask.config.get("stratum.fair") if fair is None else fair)
        self.off = ""

    def __reduce__(self) -> tuple[type[StratumPlugin], tuple[int, bool]]:
        return StratumPlugin, (self._budget, self._is_fair)

    # -- life -----------------------------------------------------------------------------------

    async def start(self, scheduler: Any) -> None:
        """Offer what clients may ask."""
        for other in self._others(scheduler):
            other.switch_off("another one was registered")
        self.scheduler = scheduler
        self.counts = Counts()
        self.answers = Answers(self)
        self._begin()
        scheduler.handlers.update(self.answers.handlers())
        add_routes(self, scheduler)
        self._ticker = PeriodicCallback(self._tick, _TICK)
        self._ticker.start()

    def _begin(self) -> None:
        """Know nothing yet."""
        self.registry = Registry()
        self.pins = Pins(self.scheduler, self._budget, self._share)
        self.journal = Journal(self.scheduler)
        self.placing = Placing()
        self.turns = Turns(self.scheduler.generation) if self._is_fair else None
        self.makers = Makers(self.scheduler)
        self.counters: dict[str, float] = dict.fromkeys(
            ("plans", "tasks", "merged", "hits", "misses", "seconds_saved", "placed"), 0
        )
        self.scheduler.set_metadata(keys=[messages.METADATA], value=messages.version())

    async def close(self) -> None:
        """Stop looking at the workers."""
        self._ticker.stop()
        self.makers.close()

    def switch_off(self, reason: str, error: Exception | None = None) -> None:
        """Leave plain Dask: release all that is kept, and answer no client any more."""
        if self.off:
            return
        self.off = reason
        logger.error("stratum_dask shares nothing any more: %s", reason, exc_info=error)
        self._ticker.stop()
        self.makers.close()
        self.pins.drop_all()
        self.placing.give_up(self.scheduler)
        self.registry = Registry()
        if self.turns is not None:  # what plain Dask is given now comes behind what it has
            scheduler = self.scheduler
            scheduler.generation = max(scheduler.generation, math.ceil(self.turns.end))
        if not self._others(self.scheduler):  # or it is a successor's
            self.scheduler.task_metadata.pop(messages.METADATA, None)

    def _others(self, scheduler: Any) -> list[StratumPlugin]:
        """Return the plugins of this kind beside this one, by whatever name, that work."""
        found = [one for one in scheduler.plugins.values() if isinstance(one, StratumPlugin)]
        return [one for one in found if one is not self and not one.off]

    def _tick(self) -> None:
        """Look at the workers' memory, and whether the plugin is still wanted."""
        if self not in self.scheduler.plugins.values():
            self.switch_off("it was unregistered")
            return
        self._look()

    @_guarded
    def _look(self) -> None:
        self.pins.relieve()
        self.placing.give_up(self.scheduler, time.time())
        self.journal.settle()
        self.makers.forget(self.registry.values.values())
        left = self.registry.expire(time.time() - _PATIENCE, self.scheduler.tasks)
        self.journal.accounting.forget(left)

    def state(self) -> dict[str, Any]:
        """Return what is going on; see :func:`stratum_dask.scheduler.figures.state`."""
        return figures.state(self)

    # -- hooks ----------------------------------------------------------------------------------

    @_guarded
    def add_worker(self, scheduler: Any, worker: str) -> None:
        """Ask a worker what it computes with, if anybody may want its results."""
        self.makers.add(worker)

    @_guarded
    def remove_worker(self, scheduler: Any, worker: str, **kwargs: Any) -> None:
        """Look where its values are now."""
        self.pins.leave(worker)

    @_guarded
    def restart(self, scheduler: Any) -> None:
        """Forget all tasks, as the scheduler did."""
        self.makers.close()
        self.pins.drop_all()
        self._begin()

    @_guarded
    def update_graph(
        self,
        scheduler: Any,
        *,
        client: str,
        tasks: list[Key],
        annotations: dict[str, Any],
        **kwargs: Any,
    ) -> None:
        """Take note of submitted plans; stop sharing what plain Dask tasks might edit."""
        self.placing.apply(scheduler, tasks)
        if self.turns is not None:
            self.turns.submitted(scheduler, client, tasks)
        registry = self.registry
        marked, now = annotations.get(ANNOTATION, {}), time.time()
        for key in tasks:
            value = registry.values.get(key)
            if value is not None and (value.ours or marked.get(key) == value.plan):
                value.ours = True
                registry.plans[value.plan].seen = now
                continue
            ts = scheduler.tasks.get(key)
            for dependency in ts.dependencies if ts is not None else ():
                known = registry.values.get(dependency.key)
                if known is not None and known.reuse and known.wanted:
                    known.reuse = 0.0
                    self.pins.drop(known.key)

    def transition(
        self,
        key: Key,
        start: str,
        finish: str,
        *args: Any,
        startstops: Iterable[dict[str, Any]] = (),
        **kwargs: Any,
    ) -> None:
        """Follow the values that plans have announced; for all others, do next to nothing."""
        if finish in _ON_THE_WAY or self.off:
            return
        try:
            if key in self.placing.wishes:
                self.placing.follow(self.scheduler, key, finish)
            if finish == "processing":
                return
            seconds = ended = 0.0
            for one in startstops:
                if one["action"] == "compute":
                    ended = one["stop"]
                    seconds += ended - one["start"]
            if self.turns is not None and finish != "released":
                self.turns.done(key, seconds)
            value = self.registry.values.get(key)
            if value is None:
                return
            if finish == "memory":
                self._computed(value, seconds, ended)
            elif finish == "erred":
                self.journal.ended(value, "failed")
            elif finish == "forgotten":
                self.journal.ended(value, "cancelled")
                if key in self.pins.kept:
                    self.pins.drop(key)
                self.registry.forget(value)
            elif start == "memory":
                value.maker = ""
                self.pins.drop(key)
        except Exception as error:
            self.switch_off(f"its hook 'transition' failed: {error!r}", error)

    def _computed(self, value: Value, seconds: float, ended: float) -> None:
        scheduler, values = self.scheduler, self.registry.values
        ts = scheduler.tasks[value.key]
        self.counters["tasks"] += 1
        if ts.type == _FAILURES:
            self.journal.ended(value, "failed")
            return
        kept, given, before = self.pins.kept, 0, 0.0
        for dependency in ts.dependencies:
            given += max(dependency.nbytes, 0)
            known = values.get(dependency.key)
            if known is not None and known.key not in kept:
                before += known.seconds
        threads = scheduler.total_nthreads
        self.journal.computed(value, seconds, ended, threads, given, max(ts.nbytes, 0))
        seconds += before
        ws = next(iter(ts.who_has), None)
        if ws is None:
            return
        # What a user in the same process is given is the value itself, which may be edited.
        if value.wanted and ws.address.startswith("inproc:"):
            value.reuse = 0.0
        value.seconds, value.maker = seconds, ws.server_id
        if value.ours and seconds * value.reuse >= _WORTH_SECONDS:
            self.pins.offer(value, ts, ws)
