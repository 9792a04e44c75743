"""The client's side: what is alive on a cluster, and what this client is about to submit."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dask.base import get_scheduler

from stratum_dask.graph import Alias, Graph, Key, Task, TaskRef
from stratum_dask.ops.sharing import own
from stratum_dask.runtime.threads import is_in_task
from stratum_dask.scheduler import messages
from stratum_dask.scheduler.environment import environment

_PATIENCE = 60
"""Seconds to wait for an answer of the scheduler."""

_warned: set[tuple[str, str]] = set()


class LiveValues:
    """Values that are alive on a cluster whose scheduler has the plugin.

    Parameters
    ----------
    client : distributed.Client
    form : str
        How values are wrapped, and under which settings they are made.
    """

    def __init__(self, client: Any, form: str) -> None:
        self.client, self.form = client, form

    live = True

    def find(self, tokens: Sequence[bytes]) -> Mapping[bytes, TaskRef]:
        """Return Futures of those of some values that are alive; they stay so meanwhile."""
        from distributed import Future  # takes long to import; a client has done so

        question = messages.Question(self.client.id, list(tokens), self.form, environment().name)
        answer = self._ask("stratum_find", messages.pack(question))
        if others := answer.get("others"):
            _warn_once(
                self.client,
                "mixed",
                f"the workers {', '.join(others)} compute with other library versions or "
                "processors than this process; values made there are not shared with it",
            )
        return {
            tokens[position]: Future(key, self.client) for position, key in answer.get("found", ())
        }

    def keep(
        self, func: Callable[..., Any], token: bytes, after: Sequence[bytes]
    ) -> Callable[..., Any]:
        """Return the function: the scheduler keeps what its task returns."""
        return func

    def announce(self, graph: Graph) -> None:
        """Tell the scheduler what a plan consists of that will be submitted.

        Parameters
        ----------
        graph : Graph
            As the pipeline left it.
        """
        tokens, local, merged = graph.tokens, graph.local, graph.merged
        keys = [key for key in graph.tasks if key in tokens]
        wanted = graph.wanted
        shared = [
            float(len(merged.get(key, (key,))) > 1) + 1.0
            if key in graph.kept and tokens[key] not in local
            else 0.0
            for key in keys
        ]
        candidates: dict[str, list[Key]] = {}
        for output in graph.outputs:
            ends = [_end(graph, key) for key in output.keys if key in graph.tasks]
            candidates.setdefault(str(output.candidate), []).extend(ends)
        said = messages.Announcement(
            self.client.id,
            self.form,
            environment().name,
            graph.plan,
            keys,
            [tokens[key] for key in keys],
            shared,
            list(wanted),
            list(candidates.items()),
            sum(map(len, merged.values())) - len(merged),
            list(dict.fromkeys(graph.reused.values())),
        )
        self._ask("stratum_announce", messages.pack(said))

    def _ask(self, op: str, message: dict[str, Any]) -> dict[str, Any]:
        client = self.client

        async def ask() -> Any:
            return await getattr(client.scheduler, op)(**message)

        try:
            answer: dict[str, Any] = client.sync(ask, callback_timeout=_PATIENCE)
        except Exception as error:
            _warn_once(client, "asked", f"the scheduler did not answer: {error!r}")
            return {}
        status = answer["status"]
        if status == "version":
            _warn_once(
                client,
                status,
                f"the scheduler has stratum_dask {answer['version']}, this process has "
                f"{messages.version()}; install the same version on both",
            )
        elif status != "OK":
            _warn_once(client, status, str(answer.get("reason")))
        return answer if status == "OK" else {}


def live_values(form: str = messages.BARE) -> tuple[LiveValues, ...]:
    """Return what is alive on the current cluster, if its scheduler has the plugin.

    Parameters
    ----------
    form : str
        See :class:`LiveValues`.

    Returns
    -------
    tuple of LiveValues
        Empty without a client, without the plugin, inside of tasks, and for asynchronous
        clients, which could not wait for an answer.
    """
    if "distributed" not in sys.modules or is_in_task():
        return ()
    try:
        client = getattr(get_scheduler(), "__self__", None)
    except RuntimeError:  # an asynchronous client
        return ()
    if client is None or client.asynchronous or client.status != "running":
        return ()
    if not client.get_metadata(messages.METADATA, default=None):
        return ()
    return (LiveValues(client, form),)


def _end(graph: Graph, key: Key) -> Key:
    """Return the task that computes a wanted value; its own key may only copy it."""
    node = graph.tasks[key]
    names = isinstance(node, Alias) or (isinstance(node, Task) and node.func is own)
    if names and len(node.dependencies) == 1:
        (only,) = node.dependencies
        if only in graph.tasks:
            target: Key = only
            return target
    return key


def _warn_once(client: Any, kind: str, text: str) -> None:
    if (client.id, kind) not in _warned:
        _warned.add((client.id, kind))
        warnings.warn(
            f"no results are shared through the cluster at {client.scheduler.address}: {text}",
            stacklevel=2,
        )
