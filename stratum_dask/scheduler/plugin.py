"""The scheduler's side: its hooks, and what clients may ask.

Every hook is bounded and guarded: one that fails is logged, and switches the plugin off, which
leaves plain Dask. Nothing is released inside a transition: releases wait for the next turn of the
event loop.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import pickle
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeVar

import dask
from dask.utils import parse_bytes
from distributed.diagnostics.plugin import SchedulerPlugin
from distributed.protocol import deserialize
from tornado.ioloop import PeriodicCallback

from stratum_dask.graph import ANNOTATION
from stratum_dask.scheduler import messages
from stratum_dask.scheduler.accounting import Accounting
from stratum_dask.scheduler.dashboard import add_routes
from stratum_dask.scheduler.environment import Environment, report
from stratum_dask.scheduler.figures import Kernels
from stratum_dask.scheduler.messages import Announcement, Key, MessageError
from stratum_dask.scheduler.pace import Paces
from stratum_dask.scheduler.placing import Placing
from stratum_dask.scheduler.registry import Registry, Value
from stratum_dask.scheduler.retention import Retention

logger = logging.getLogger("distributed.stratum")

CLIENT = "stratum-retention"
"""The name under which results are kept, as if a client wanted them."""

_RELEASES = 1_000
"""Keys to release in one turn of the event loop."""
_WORTH_SECONDS = 0.002
"""What takes less is not kept: a task of Dask costs as much."""
_TICK = 1_000
"""Milliseconds between looks at the workers' memory."""
_PATIENCE = 600.0
"""Seconds until a plan that was announced but not submitted is forgotten."""
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

    def __init__(self, retention: int | str | None = None) -> None:
        chosen = dask.config.get("stratum.retention.bytes") if retention is None else retention
        self._budget = parse_bytes(chosen)
        self._share = float(dask.config.get("stratum.retention.worker-share"))
        self.off = ""
        self._reset()

    def _reset(self) -> None:
        self.registry = Registry()
        self.retention = Retention(self._budget)
        self.accounting = Accounting()
        self.placing = Placing()
        self.paces = Paces()
        self.kernels = Kernels()
        self.counters: dict[str, float] = dict.fromkeys(
            ("plans", "tasks", "merged", "hits", "misses", "seconds_saved", "refused", "placed"), 0
        )
        self._environments: dict[str, Environment | None] = {}
        self._releases: deque[Key] = deque()
        self._background: set[asyncio.Task[None]] = set()
        self._asks = False  # workers of clusters that nobody shares need not import anything

    def __reduce__(self) -> tuple[type[StratumPlugin], tuple[int]]:
        return StratumPlugin, (self._budget,)

    # -- life -----------------------------------------------------------------------------------

    async def start(self, scheduler: Any) -> None:
        """Offer what clients may ask."""
        self.scheduler = scheduler
        scheduler.handlers.update(
            stratum_find=self.find,
            stratum_announce=self.announce,
            stratum_place=self.place,
            stratum_state=self.ask_state,
        )
        scheduler.set_metadata(keys=[messages.METADATA], value=messages.version())
        add_routes(self, scheduler)
        self._ticker = PeriodicCallback(self._tick, _TICK)
        self._ticker.start()

    async def close(self) -> None:
        """Stop looking at the workers."""
        self._ticker.stop()
        for one in self._background:
            one.cancel()

    def switch_off(self, reason: str, error: Exception | None = None) -> None:
        """Leave plain Dask: release all that is kept, and answer no client any more."""
        if self.off:
            return
        self.off = reason
        logger.error("stratum_dask shares nothing any more: %s", reason, exc_info=error)
        self._ticker.stop()
        if self.scheduler.plugins.get(self.name) in (self, None):  # not a successor's
            self.scheduler.task_metadata.pop(messages.METADATA, None)
        self._releases.extend(self.retention)
        self._reset_after_release()

    def _reset_after_release(self) -> None:
        releases = self._releases
        self._reset()
        self._releases = releases
        self._flush_soon()

    # -- hooks ----------------------------------------------------------------------------------

    @_guarded
    def add_worker(self, scheduler: Any, worker: str) -> None:
        """Ask a worker what it computes with, if anybody may want its results."""
        if not self._asks:
            return
        task = asyncio.get_running_loop().create_task(self._learn(worker))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _learn(self, address: str) -> None:
        scheduler = self.scheduler
        ws = scheduler.workers.get(address)
        if ws is None:
            return
        found = None
        try:
            reply = await asyncio.wait_for(
                scheduler.rpc(address).run(function=pickle.dumps(report)), timeout=60
            )
            if reply["status"] == "OK":
                sent = reply["result"]  # which the scheduler leaves as it came
                found = Environment(*deserialize(sent.header, sent.frames))
        except Exception as error:  # the worker is gone, or has no stratum_dask
            logger.debug("worker %s did not say what it computes with: %r", address, error)
        if found is None and address in scheduler.workers:
            logger.warning(
                "worker %s did not say what it computes with; its results are not shared. "
                "Is stratum_dask installed there?",
                address,
            )
        self._environments[ws.server_id] = found
        different = {one.name for one in self._environments_now() if one is not None}
        if len(different) > 1:
            logger.warning(
                "the workers compute with %d different sets of library versions or processors: "
                "each client shares only values made as its own would be",
                len(different),
            )

    def _environments_now(self) -> list[Environment | None]:
        return [self._environments.get(ws.server_id) for ws in self.scheduler.workers.values()]

    @_guarded
    def update_graph(
        self, scheduler: Any, *, tasks: list[Key], annotations: dict[str, Any], **kwargs: Any
    ) -> None:
        """Take note of submitted plans; stop sharing what plain Dask tasks might edit."""
        self.placing.apply(scheduler, tasks)
        registry = self.registry
        marked = annotations.get(ANNOTATION, {})
        for key in tasks:
            value = registry.values.get(key)
            if value is not None and (value.ours or marked.get(key) == value.plan):
                value.ours = True
                registry.plans[value.plan].submitted = True
                continue
            ts = scheduler.tasks.get(key)
            for dependency in ts.dependencies if ts is not None else ():
                known = registry.values.get(dependency.key)
                if known is not None and known.reuse and known.wanted:
                    known.reuse = 0.0
                    registry.vanish(known)
                    if known.key in self.retention:
                        self._release(known.key)

    def transition(
        self, key: Key, start: str, finish: str, *args: Any, stimulus_id: str = "", **kwargs: Any
    ) -> None:
        """Follow the values that plans have announced; for all others, do next to nothing."""
        value = self.registry.values.get(key)
        if value is not None:
            self._follow(value, start, finish, kwargs)
        if key in self.placing:
            self._follow_placed(key, finish)

    @_guarded
    def _follow_placed(self, key: Key, finish: str) -> None:
        self.placing.follow(self.scheduler, key, finish)

    @_guarded
    def _follow(self, value: Value, start: str, finish: str, message: dict[str, Any]) -> None:
        if start == "memory":
            self._lost(value)
        if finish == "memory":
            self._computed(value, message if start == "processing" else {})
        elif finish == "processing":
            self.accounting.running(value.key)
        elif finish == "erred":
            self.accounting.failed(value.key)
        elif finish == "forgotten":
            self.accounting.gone(value.key)
            self._lost(value)
            self.registry.forget(value)

    @_guarded
    def restart(self, scheduler: Any) -> None:
        """Forget all tasks, as the scheduler did."""
        self._reset()
        scheduler.set_metadata(keys=[messages.METADATA], value=messages.version())

    def _computed(self, value: Value, message: dict[str, Any]) -> None:
        ts = self.scheduler.tasks[value.key]
        self.counters["tasks"] += 1
        if ts.type == _FAILURES:
            self.accounting.failed(value.key)
            return
        self.accounting.finished(value.key)
        ran = [one for one in message.get("startstops", ()) if one["action"] == "compute"]
        seconds = sum(one["stop"] - one["start"] for one in ran)
        for one in ran:
            threads = self.scheduler.total_nthreads
            self.paces.computed(value.plan, one["start"], one["stop"], threads)
        values, kept = self.registry.values, self.retention
        for dependency in ts.dependencies:
            known = values.get(dependency.key)
            if known is not None and known.key not in kept:
                seconds += known.seconds
        ws = next(iter(ts.who_has), None)
        if ws is None:
            return
        # What a user in the same process is given is the value itself, which may be edited.
        if value.wanted and ws.address.startswith("inproc:"):
            value.reuse = 0.0
        self.registry.appear(value, seconds, ws.server_id)
        if value.ours and seconds * value.reuse >= _WORTH_SECONDS:
            self._offer(value, ts, ws)

    def _offer(self, value: Value, ts: Any, ws: Any) -> None:
        if not (ts.who_wants or ts.waiters):
            return  # on its way out
        kept, dropped = self.retention.offer(
            value.key,
            nbytes=max(ts.nbytes, 1),
            seconds=value.seconds,
            reuse=value.reuse,
            worker=ws.address,
            share=self._room(ws),
        )
        for key in dropped:
            self._release(key)
        if kept:
            self.scheduler.client_desires_keys([value.key], CLIENT)
        else:
            self.counters["refused"] += 1

    def _room(self, ws: Any) -> int | None:
        """Return how many bytes may be kept on a worker; none where values are spilled."""
        if not ws.memory_limit:
            return None
        if ws.memory.spilled:
            return self.retention.by_worker.get(ws.address, 0)
        return int(ws.memory_limit * self._share)

    def _lost(self, value: Value) -> None:
        self.registry.vanish(value)
        if self.retention.drop(value.key):
            self._release(value.key)

    # -- releases -------------------------------------------------------------------------------

    def _release(self, key: Key) -> None:
        self.retention.drop(key)
        self._releases.append(key)
        if len(self._releases) == 1:
            self._flush_soon()

    def _flush_soon(self) -> None:
        asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        """Release what is not kept any more, a bounded number of keys at once."""
        releases, retention = self._releases, self.retention
        now = [releases.popleft() for _ in range(min(len(releases), _RELEASES))]
        gone = [key for key in now if key not in retention]  # not kept again in between
        if gone and CLIENT in self.scheduler.clients:
            self.scheduler.client_releases_keys(gone, CLIENT)
        if releases:
            self._flush_soon()

    def _tick(self) -> None:
        """Look at the workers' memory, and whether the plugin is still wanted."""
        if self.scheduler.plugins.get(self.name) is not self:
            self.switch_off("it was unregistered")
            return
        self._look()
        self._give_up()

    @_guarded
    def _look(self) -> None:
        target = dask.config.get("distributed.worker.memory.target") or 1.0
        for ws in self.scheduler.workers.values():
            if not ws.memory_limit or ws.address not in self.retention.by_worker:
                continue
            memory = ws.memory
            over = memory.managed + memory.spilled - int(ws.memory_limit * target)
            for key in self.retention.shrink(ws.address, over) if over > 0 else ():
                self._release(key)
        for plan in self.registry.expire(time.time() - _PATIENCE):
            self.accounting.forget(plan)

    @_guarded
    def _give_up(self) -> None:
        self.placing.give_up(self.scheduler)

    # -- what clients ask -----------------------------------------------------------------------

    def find(self, **sent: Any) -> dict[str, Any]:
        """Answer which values are alive, and keep those for the client that asks.

        Parameters
        ----------
        **sent
            A packed :class:`~stratum_dask.scheduler.messages.Question`.

        Returns
        -------
        dict
            ``status`` ("OK", "version", "off" or "refused"), and ``found``: for each token that
            is known its position in the question and the live key.
        """
        answer: dict[str, Any] = self._answer(self._find, sent)
        return answer

    def _find(self, sent: dict[str, Any]) -> dict[str, Any]:
        question = messages.unpack_question(sent)
        if question.client not in self.scheduler.clients:
            raise MessageError(f"the client {question.client} is not connected")
        found: list[tuple[int, Key]] = []
        for position, token in enumerate(question.tokens):
            key = self._alive((question.environment, question.form, token))
            if key is not None:
                found.append((position, key))
        if found:
            self.scheduler.client_desires_keys([key for _, key in found], question.client)
        self.counters["misses"] += len(question.tokens) - len(found)
        return {"status": "OK", "found": found, **self._mixed(question.environment)}

    def _alive(self, identity: tuple[str, str, bytes]) -> Key | None:
        environment, form, _ = identity
        for value in self.registry.live(identity):
            made = self._environments.get(value.maker)
            ts = self.scheduler.tasks.get(value.key)
            if made is None or made.name != environment or ts is None or ts.state != "memory":
                continue
            if form == messages.BARE and (
                ts.has_lost_dependencies or not self._same_threads(made.threads)
            ):
                continue
            return value.key
        return None

    def _same_threads(self, threads: int) -> bool:
        return all(one is not None and one.threads == threads for one in self._environments_now())

    def _mixed(self, environment: str) -> dict[str, Any]:
        others = [
            ws.address
            for ws in self.scheduler.workers.values()
            if (made := self._environments.get(ws.server_id)) is not None
            and made.name != environment
        ]
        return {"others": others[:10]} if others else {}

    def announce(self, **sent: Any) -> dict[str, Any]:
        """Take note of a plan that a client is about to submit.

        Parameters
        ----------
        **sent
            A packed :class:`~stratum_dask.scheduler.messages.Announcement`.

        Returns
        -------
        dict
            ``status``, as of :meth:`find`.
        """
        answer: dict[str, Any] = self._answer(self._announce, sent)
        return answer

    def _announce(self, sent: dict[str, Any]) -> dict[str, Any]:
        said: Announcement = messages.unpack_announcement(sent)
        new = said.plan not in self.registry.plans
        self.registry.announce(said, time.time())
        self.accounting.announce(said.plan, said.client, said.candidates)
        if new:
            self.counters["plans"] += 1
            self.counters["merged"] += said.merged
            self.counters["hits"] += len(said.reused)
            for key in said.reused:
                value = self.registry.values.get(key)
                if value is not None:
                    self.counters["seconds_saved"] += value.seconds
                    self.retention.used(key)
        return {"status": "OK"}

    def place(self, **sent: Any) -> dict[str, Any]:
        """Take note of where and in which order a plan wants its tasks to run.

        Parameters
        ----------
        **sent
            Packed :class:`~stratum_dask.scheduler.messages.Wishes`.

        Returns
        -------
        dict
            ``status``, as of :meth:`find`.
        """
        answer: dict[str, Any] = self._answer(self._place, sent)
        return answer

    def _place(self, sent: dict[str, Any]) -> dict[str, Any]:
        said = messages.unpack_wishes(sent)
        addresses = [said.addresses[worker] for worker in said.workers]
        self.placing.announce(said.keys, addresses, said.seconds)
        self.counters["placed"] += len(said.keys)
        return {"status": "OK"}

    def ask_state(self, **_: Any) -> dict[str, Any]:
        """Return :meth:`state` to a client."""
        return self.state()

    def _answer(self, handler: Callable[..., dict[str, Any]], sent: dict[str, Any]) -> Any:
        if self.off:
            return {"status": "off", "reason": self.off}
        if sent.get("version") != messages.version():
            return {"status": "version", "version": messages.version()}
        try:
            if not self._asks:
                self._asks = True
                for worker in self.scheduler.workers:
                    self.add_worker(self.scheduler, worker)
            return handler(sent)
        except MessageError as error:
            return {"status": "refused", "reason": str(error)}
        except Exception as error:
            self.switch_off(f"a message could not be handled: {error!r}", error)
            return {"status": "off", "reason": self.off}

    def state(self) -> dict[str, Any]:
        """Return what is going on, as plain data that holds no values of the users'.

        Returns
        -------
        dict
            ``version``, ``off`` (why, or empty); ``candidates``: how many are ``waiting``,
            ``running``, ``done``, ``failed``, ``cancelled``; ``named``: up to 1,000 of them, each
            with ``plan``, ``client``, ``name``, ``status``; ``plans``, ``tasks`` (computed),
            ``placed`` (tasks that were meant for a worker), ``merged`` (tasks into others),
            ``hits`` and ``misses`` (values asked for), ``seconds_saved``; ``retention``:
            ``values``, ``bytes``, ``budget``, ``evictions``,
            ``refused`` and ``workers`` (bytes by address); ``environments``: workers by name of
            their environment.
        """
        counters = self.counters
        environments: dict[str, int] = {}
        for made in self._environments_now():
            name = "unknown" if made is None else f"{made.name}/{made.threads}"
            environments[name] = environments.get(name, 0) + 1
        return {
            "version": messages.version(),
            "off": self.off,
            "candidates": dict(self.accounting.counts),
            "named": self.accounting.listed(),
            **{
                name: counters[name]
                for name in ("plans", "tasks", "placed", "merged", "hits", "misses")
            },
            "seconds_saved": counters["seconds_saved"],
            "retention": {
                "values": len(self.retention),
                "bytes": self.retention.nbytes,
                "budget": self.retention.budget,
                "evictions": self.retention.evictions,
                "refused": counters["refused"],
                "workers": dict(self.retention.by_worker),
            },
            "environments": environments,
        }
