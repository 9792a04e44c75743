"""What clients may ask the plugin; every message is checked, and answered or refused."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from stratum_dask.scheduler import messages
from stratum_dask.scheduler.messages import Key, MessageError

if TYPE_CHECKING:
    from stratum_dask.scheduler.plugin import StratumPlugin

Handler = Callable[[dict[str, Any]], dict[str, Any]]


class Answers:
    """Answers clients from what the plugin knows.

    Parameters
    ----------
    plugin : StratumPlugin
    """

    def __init__(self, plugin: StratumPlugin) -> None:
        self._plugin = plugin

    def handlers(self) -> dict[str, Callable[..., Any]]:
        """Return what the scheduler calls for each message."""
        return {
            "stratum_find": self.find,
            "stratum_announce": self.announce,
            "stratum_place": self.place,
            "stratum_state": self.state,
        }

    def find(self, **sent: Any) -> dict[str, Any]:
        """Answer which values are alive, and keep those for the client that asks.

        Parameters
        ----------
        **sent
            A packed :class:`~stratum_dask.scheduler.messages.Question`.

        Returns
        -------
        dict
            ``status`` ("OK", "version", "off", "refused", or "stranger" for a client that is not
            connected), and ``found``: for each token that
            is known its position in the question, the live key and its bytes; ``costs``: what tasks
            took that ran since the client has asked last, up to the time ``learned``.
        """
        return self._answer(self._find, sent)

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
        return self._answer(self._announce, sent)

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
        return self._answer(self._place, sent)

    async def state(self, **_: Any) -> dict[str, Any]:
        """Return :meth:`StratumPlugin.state`, with what workers have counted by now."""
        await self._plugin.counts.ask(self._plugin.scheduler)
        return self._plugin.state()

    def _answer(self, handler: Handler, sent: dict[str, Any]) -> dict[str, Any]:
        plugin = self._plugin
        if plugin.off:
            return {"status": "off", "reason": plugin.off}
        if sent.get("version") != messages.version():
            return {"status": "version", "version": messages.version()}
        try:
            plugin.makers.want()
            return handler(sent)
        except MessageError as error:
            return {"status": "refused", "reason": str(error)}
        except Exception as error:
            plugin.switch_off(f"a message could not be handled: {error!r}", error)
            return {"status": "off", "reason": plugin.off}

    def _find(self, sent: dict[str, Any]) -> dict[str, Any]:
        plugin, question = self._plugin, messages.unpack_question(sent)
        if question.client not in plugin.scheduler.clients:
            reason = f"the client {question.client} is not connected"
            return {"status": "stranger", "reason": reason}
        found: list[tuple[int, Key, int]] = []
        for position, token in enumerate(question.tokens):
            key = self._alive((question.environment, question.form, token))
            if key is not None:
                found.append((position, key, max(plugin.scheduler.tasks[key].nbytes, 0)))
        if found:
            keys = [key for _, key, _ in found]
            plugin.scheduler.client_desires_keys(keys, question.client)
            plugin.pins.hold(keys)
        plugin.counters["misses"] += len(question.tokens) - len(found)
        others = plugin.makers.others(question.environment)
        time, costs = plugin.journal.learning.since(question.learned)
        return {
            "status": "OK",
            "found": found,
            "learned": time,
            "costs": costs,
            **({"others": others} if others else {}),
        }

    def _alive(self, identity: tuple[str, str, bytes]) -> Key | None:
        """Return the key of a value that a client with this environment may use."""
        plugin = self._plugin
        environment, form, _ = identity
        for value in plugin.registry.live(identity):
            made = plugin.makers.of(value.maker)
            ts = plugin.scheduler.tasks.get(value.key)
            if made is None or made.name != environment or ts is None or ts.state != "memory":
                continue
            if form == messages.BARE and (
                ts.has_lost_dependencies or not plugin.makers.agree_on(made.threads)
            ):
                continue
            return value.key
        return None

    def _announce(self, sent: dict[str, Any]) -> dict[str, Any]:
        plugin, said = self._plugin, messages.unpack_announcement(sent)
        new = said.plan not in plugin.registry.plans
        plugin.registry.announce(said, time.time())
        plugin.journal.accounting.announce(said.plan, said.client, said.candidates)
        plugin.counts.told(said.process, said.store)
        if new:
            counters = plugin.counters
            counters["plans"] += 1
            counters["merged"] += said.merged
            counters["hits"] += len(said.reused)
            for key in said.reused:
                value = plugin.registry.values.get(key)
                if value is not None:
                    counters["seconds_saved"] += value.seconds
                    plugin.pins.retention.used(key)
        return {"status": "OK"}

    def _place(self, sent: dict[str, Any]) -> dict[str, Any]:
        said = messages.unpack_wishes(sent)
        addresses = [said.addresses[worker] for worker in said.workers]
        self._plugin.placing.announce(said.keys, addresses, said.seconds)
        self._plugin.counters["placed"] += sum(map(bool, addresses))
        return {"status": "OK"}
