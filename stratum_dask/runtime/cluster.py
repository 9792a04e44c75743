"""Running a batch on the workers of a ``distributed.Client``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from typing import Any

import dask
from dask.sizeof import sizeof

from stratum_dask.errors import LostValuesError
from stratum_dask.graph import ANNOTATION, DataNode, GraphNode, Key
from stratum_dask.ops.outcomes import NoValue, Outcome, failure_of
from stratum_dask.runtime.doubts import Doubts
from stratum_dask.scheduler.connection import is_connected, lost_scheduler

_BIG = 1 << 20
_ROUNDS = 100
"""How often to submit again what was lost with workers, if nothing comes of it."""
_PATIENCE = 10
"""How often Dask may blame a task that leaves records until it is in doubt nevertheless."""
_PAUSE = 0.05
"""Seconds before what was lost is submitted again, times how often that was done in vain."""


def compute_on(
    client: Any,
    dsk: Mapping[Key, GraphNode],
    keys: Sequence[Key],
    done: Callable[[Key, Outcome], None] | None,
    plan: str,
    owners: Callable[[], Mapping[Key, str]],
    recorded: bool = False,
) -> list[Outcome]:
    """Compute the outcomes of `keys` on a cluster.

    Parameters
    ----------
    client : distributed.Client
    dsk : mapping of key to GraphNode
        Tasks that return outcomes.
    keys : sequence of keys
    done : callable, optional
        Called with key and outcome of each as it finishes.
    plan : str
        With which all tasks are marked.
    owners : callable
        Returns the candidate of each task that only one needs; called if workers die.
    recorded : bool
        Whether a task that kills workers is found by its records.

    Returns
    -------
    list of Outcome

    Raises
    ------
    LostValuesError
        If the graph refers to values of others that were lost meanwhile.
    SchedulerLostError
        If the scheduler ended, and there is another one, which knows nothing of the batch. Where
        there is none, it is the failure of all that was not computed.
    """
    batch = _Batch(client, dsk, keys, done, plan, Doubts(dsk, owners, _PATIENCE if recorded else 1))
    batch.run()
    error: Exception = CancelledError("its task was cancelled, or lost again and again")
    if client.status != "running":
        error = lost_scheduler(client, batch.address)
    gone = failure_of(error, "")
    return [batch.found.get(key) or NoValue(None, gone, {}) for key in keys]


class _Batch:
    """A batch that is submitted until every wanted key has an outcome.

    Attributes
    ----------
    found : dict of key to Outcome
    address : str
        Of the scheduler at the beginning.
    """

    def __init__(
        self,
        client: Any,
        dsk: Mapping[Key, GraphNode],
        keys: Sequence[Key],
        done: Callable[[Key, Outcome], None] | None,
        plan: str,
        doubts: Doubts,
    ) -> None:
        self.found: dict[Key, Outcome] = {}
        self.address = client.scheduler.address
        self._client, self._connection = client, client.scheduler_comm
        self._keys, self._done, self._plan = list(dict.fromkeys(keys)), done, plan
        self._doubts = doubts
        # Big data go as outcomes, which arrive as they were, and by themselves: in a graph they
        # pass through the scheduler.
        self._big = {
            key: Outcome(node.value, None, {})
            for key, node in dsk.items()
            if isinstance(node, DataNode) and sizeof(node.value) > _BIG
        }
        self._tasks = {key: node for key, node in dsk.items() if key not in self._big}
        self._others = {one for node in dsk.values() for one in node.dependencies} - dsk.keys()
        self._sent: dict[Key, Any] = {}
        self._held: dict[Key, Any] = {}

    def run(self) -> None:
        """Submit what has no outcome, as long as there is a scheduler and anything comes of it."""
        self._sent = _send(self._client, self._big)
        again, vain = False, 0
        while vain < _ROUNDS:
            left = self._left()
            if not left or not is_connected(self._client):
                return
            if self._client.scheduler_comm is not self._connection:
                raise lost_scheduler(self._client, self.address)
            if again:
                self._send_again(vain + 1)
            asked = self._doubts.asks() or left
            told, blamed = self._submit(asked)
            vain = 0 if told else vain + 1
            again = blamed or told < len(asked)

    def _left(self) -> list[Key]:
        """Return what has no outcome, after what depends on a task that killed workers has one."""
        for key in self._keys:
            if key not in self.found and (error := self._doubts.verdict(key)) is not None:
                self._tell(key, NoValue(None, failure_of(error, str(key)), {}))
        return [key for key in self._keys if key not in self.found]

    def _tell(self, key: Key, outcome: Outcome) -> None:
        self.found[key] = outcome
        if self._done is not None:
            self._done(key, outcome)

    def _submit(self, asked: Sequence[Key]) -> tuple[int, bool]:
        """Submit tasks; return of how many it is known how they ended, and if some are blamed."""
        from distributed import KilledWorker  # takes long to import; a client has done so

        told, blamed, wanted = 0, {}, set(self._keys)
        with dask.annotate(**{ANNOTATION: self._plan}):
            futures = {one.key: one for one in self._client.get(self._tasks, asked, sync=False)}
        try:
            for future, result in _results(self._client, futures, wanted):
                key = future.key
                if isinstance(result, KilledWorker):
                    blamed[result.task] = result
                elif isinstance(result, Outcome):
                    self._doubts.clear(key)
                    self._tell(key, result)
                elif result is not None:
                    self._doubts.clear(key)
                    self._tell(key, NoValue(None, failure_of(result, str(key)), {}))
                elif key not in wanted and future.status == "finished":
                    self._doubts.clear(key)
                    self._held[key] = future
                else:  # it was lost
                    continue
                told += 1
        except BaseException:
            self._client.cancel(list(futures.values()))
            raise
        for task, error in blamed.items():
            self._held.pop(task, None)  # or it would stay failed
            self._doubts.blame(task, error)
        return told, bool(blamed)

    def _send_again(self, times: int) -> None:
        """Send data again that went with a worker, since they cannot be computed.

        Raises
        ------
        LostValuesError
            If such data came with another client, which is gone.
        """
        lost = {key: value for key, value in self._big.items() if _is_lost(self._client, key)}
        if any(_is_lost(self._client, key) for key in self._others):
            raise LostValuesError(
                "a worker was lost with values that nobody can compute again, since the "
                "client that sent their data is gone; run the batch again"
            )
        for key in lost:
            del self._sent[key]
        # A key that is asked for before its future is let go, which the client's loop does, would
        # stay failed.
        self._client.sync(asyncio.sleep, 0)
        # The release of data travels by another way than the data, which it must not overtake.
        # And as long as a client has not heard that they are lost, all is asked for in vain.
        time.sleep(min(times * _PAUSE, 1.0))
        self._sent.update(_send(self._client, lost))


def _send(client: Any, values: Mapping[Key, Outcome]) -> dict[Key, Any]:
    """Send values to the workers under their keys, again where a worker dies meanwhile."""
    for attempt in range(_ROUNDS):
        try:
            futures: dict[Key, Any] = client.scatter(dict(values), hash=False) if values else {}
            return futures
        except OSError:
            if not is_connected(client):
                break
            if attempt == _ROUNDS - 1:
                raise
            time.sleep(0.1)
    return {}


def _results(
    client: Any, futures: dict[Key, Any], wanted: Container[Key]
) -> Iterator[tuple[Any, Any]]:
    """Wait for futures; yield each with its result or exception, None if it was lost.

    Only those of `wanted` keys are fetched: of others None stands for a result. Each is taken away
    from `futures` then: of what is still held Dask makes another when a worker dies.
    """
    from distributed import as_completed  # takes long to import; a client has done so

    # With its own results it would wait for ever for those that a scheduler takes along.
    for batch in as_completed(list(futures.values()), loop=client.loop).batches():
        results = _fetch(client, [one for one in batch if one.key in wanted])
        for one in batch:
            del futures[one.key]
            result = results.get(one.key)
            yield one, _error(one) if result is None else result


def _fetch(client: Any, futures: Sequence[Any]) -> dict[Key, Any]:
    """Return results by key: None where there is none, an exception where one cannot be read."""
    try:
        # What it raised would hold all futures until garbage is collected, and as long as one is
        # held, its task stays failed.
        found: dict[Key, Any] = client.gather({one.key: one for one in futures}, errors="skip")
        return found
    except OSError:  # the scheduler is gone
        return {}
    except Exception as error:  # of one of them
        if len(futures) == 1:
            return {futures[0].key: error}
        return {key: one for each in futures for key, one in _fetch(client, [each]).items()}


def _error(future: Any) -> BaseException | None:
    """Return why a future has no result, None if it has one or was lost."""
    if future.status != "error":
        return None
    error: BaseException | None = future.exception()
    if error is None or isinstance(error, CancelledError):
        return None
    return error.with_traceback(future.traceback())


def _is_lost(client: Any, key: Key) -> bool:
    state = client.futures.get(key)
    return state is None or state.status in ("cancelled", "lost")
