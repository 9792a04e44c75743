"""The client's side: what is alive on a cluster, and what this client is about to submit."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import dask
from dask.base import get_scheduler
from dask.utils import parse_bytes

from stratum_dask.environment import environment
from stratum_dask.graph import Alias, Graph, Key, Task, TaskRef, Workers
from stratum_dask.ops.sharing import own
from stratum_dask.runtime.costs import open_book
from stratum_dask.runtime.counting import here
from stratum_dask.runtime.kinds import works_of
from stratum_dask.runtime.threads import is_in_task
from stratum_dask.scheduler import messages
from stratum_dask.scheduler.connection import ask, has_plugin, warn_once
from stratum_dask.store.access import tally


class LiveValues:
    """Values that are alive on a cluster whose scheduler has the plugin.

    Parameters
    ----------
    client : distributed.Client
    form : str
        How values are wrapped, and under which settings they are made.

    Attributes
    ----------
    sizes : dict of bytes to int
        The bytes of what was found, by token.
    """

    def __init__(self, client: Any, form: str) -> None:
        self.client, self.form = client, form
        self.sizes: dict[bytes, int] = {}

    live = True

    def find(self, tokens: Sequence[bytes]) -> Mapping[bytes, TaskRef]:
        """Return Futures of those of some values that are alive; they stay so meanwhile."""
        from distributed import Future  # takes long to import; a client has done so

        known = _learned.setdefault(self.client, _Learned())
        question = messages.Question(
            self.client.id, list(tokens), self.form, environment().name, known.time
        )
        answer = ask(self.client, "stratum_find", messages.pack(question))
        known.enter(answer.get("learned", 0), answer.get("costs", ()))
        if others := answer.get("others"):
            warn_once(
                self.client,
                "mixed",
                f"the workers {', '.join(others)} compute with other library versions or "
                "processors than this process; values made there are not shared with it",
            )
        found = {}
        for position, key, size in answer.get("found", ()):
            found[tokens[position]] = Future(key, self.client)
            self.sizes[tokens[position]] = size
        if found:
            # What this client has released before may arrive after the question: want it again, by
            # the same way. The plugin keeps it until then.
            keys = [future.key for future in found.values()]
            self.client._send_to_scheduler(
                {"op": "client-desires-keys", "keys": keys, "client": self.client.id}
            )
        return found

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
            _works(graph, keys) if self.form == messages.BARE else (),
            here()[0],
            tally(),
        )
        ask(self.client, "stratum_announce", messages.pack(said))


class SharedCluster:
    """A cluster whose scheduler has the plugin, as one client sees it.

    Parameters
    ----------
    client : distributed.Client
    """

    def __init__(self, client: Any) -> None:
        self.client = client

    def values(self, form: str = messages.BARE) -> LiveValues:
        """Return what is alive there.

        Parameters
        ----------
        form : str
            See :class:`LiveValues`.
        """
        return LiveValues(self.client, form)

    def workers(self) -> Workers | None:
        """Return the workers that there are now, None if there are none."""
        workers = self.client.scheduler_info(n_workers=-1)["workers"]
        if not workers:
            return None
        return Workers(
            names=tuple(workers),
            threads=tuple(one["nthreads"] for one in workers.values()),
            machines=tuple(one["host"] for one in workers.values()),
            memory=tuple(float(one["memory_limit"] or "inf") for one in workers.values()),
            bandwidth=float(parse_bytes(dask.config.get("distributed.scheduler.bandwidth"))),
        )

    def place(self, graph: Graph) -> None:
        """Tell the scheduler where and in which order a plan that will be submitted is to run.

        Parameters
        ----------
        graph : Graph
            As the pipeline left it; without a placement nothing is told.
        """
        placement = graph.placement
        if placement is None:
            return
        numbers: dict[str, int] = {}
        workers = [numbers.setdefault(one, len(numbers)) for one in placement.workers.values()]
        wishes = messages.Wishes(list(placement.workers), list(numbers), workers, placement.seconds)
        ask(self.client, "stratum_place", messages.pack(wishes))


def shared_cluster() -> SharedCluster | None:
    """Return the current cluster, if its scheduler has the plugin; asks the scheduler once.

    Returns
    -------
    SharedCluster or None
        None without a client, without the plugin, inside of tasks, and for asynchronous clients,
        which could not wait for an answer.

    Raises
    ------
    SchedulerLostError
        If there is no scheduler any more.
    """
    if "distributed" not in sys.modules or is_in_task():
        return None
    try:
        client = getattr(get_scheduler(), "__self__", None)
    except RuntimeError:  # an asynchronous client
        return None
    if client is None or client.asynchronous or client.status != "running":
        return None
    return SharedCluster(client) if has_plugin(client) else None


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


class _Learned:
    """What this process has entered in its cost book of what a cluster's tasks took."""

    def __init__(self) -> None:
        self.time = 0
        self._sums: dict[tuple[str, int], Sequence[float]] = {}

    def enter(self, time: int, costs: Sequence[tuple[Sequence[Any], Sequence[float]]]) -> None:
        """Enter what was added to some sums, which only grow unless the scheduler was restarted."""
        self.time = time
        if not costs:
            return
        book = open_book()
        for (name, size), sums in costs:
            before = self._sums.get((name, size), (0,) * len(sums))
            if before[0] >= sums[0]:
                before = (0,) * len(sums)
            self._sums[name, size] = sums
            times, *added = (new - old for new, old in zip(sums, before, strict=True))
            book.record_sums((str(name), int(size)), int(times), *added)
        book.flush()


_learned: WeakKeyDictionary[Any, _Learned] = WeakKeyDictionary()
"""By client."""


def _works(graph: Graph, keys: Sequence[Key]) -> list[tuple[str, int] | None]:
    """Return for each task that calls one kind only which, and how often it does that."""
    kinds: dict[Key, Counter[str]] = {}
    for work in works_of(graph):
        if work.kind:
            kinds.setdefault(work.key, Counter())[work.kind] += work.rounds
    found = {key: next(iter(each.items())) for key, each in kinds.items() if len(each) == 1}
    return [found.get(key) for key in keys]
