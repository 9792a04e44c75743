"""Running a batch on the workers of a ``distributed.Client``."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError
from typing import Any

import dask
from dask.sizeof import sizeof

from stratum_dask.errors import LostValuesError
from stratum_dask.graph import ANNOTATION, DataNode, GraphNode, Key
from stratum_dask.ops.outcomes import NoValue, Outcome, failure_of
from stratum_dask.scheduler.connection import is_connected, lost_scheduler

_BIG = 1 << 20
_ROUNDS = 100
"""How often to submit again what was lost with workers."""
_PAUSE = 0.05
"""Seconds before what was lost is submitted again, times how often that was done."""


def compute_on(
    client: Any,
    dsk: Mapping[Key, GraphNode],
    keys: Sequence[Key],
    done: Callable[[Key, Outcome], None] | None,
    plan: str,
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
    address, connection = client.scheduler.address, client.scheduler_comm
    big = {
        key: Outcome(node.value, None, {})
        for key, node in dsk.items()
        if isinstance(node, DataNode) and sizeof(node.value) > _BIG
    }
    tasks = {key: node for key, node in dsk.items() if key not in big}
    found: dict[Key, Outcome] = {}
    # The data go as outcomes, which arrive as they were, and by themselves: in a graph they pass
    # through the scheduler.
    sent = _send(client, big)
    others = {one for node in dsk.values() for one in node.dependencies} - dsk.keys()
    for number in range(_ROUNDS):
        left = [key for key in keys if key not in found]
        if not left or not is_connected(client):
            break
        if client.scheduler_comm is not connection:
            raise lost_scheduler(client, address)
        if number:
            # With a worker went data that cannot be computed again: send them again.
            lost = {key: value for key, value in big.items() if _is_lost(client, key)}
            if any(_is_lost(client, key) for key in others):
                raise LostValuesError(
                    "a worker was lost with values that nobody can compute again, since the "
                    "client that sent their data is gone; run the batch again"
                )
            for key in lost:
                del sent[key]
            # The release of data travels by another way than the data, which it must not overtake.
            # And as long as a client has not heard that they are lost, all is asked for in vain.
            time.sleep(min(number * _PAUSE, 1.0))
            sent.update(_send(client, lost))
        with dask.annotate(**{ANNOTATION: plan}):
            futures = client.get(tasks, left, sync=False)
        try:
            _collect(client, futures, found, done)
        except BaseException:
            client.cancel(futures)
            raise
        finally:
            del futures
    error: Exception = CancelledError("its task was cancelled, or lost again and again")
    if client.status != "running":
        error = lost_scheduler(client, address)
    gone = failure_of(error, "")
    return [found.get(key) or NoValue(None, gone, {}) for key in keys]


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


def _collect(
    client: Any,
    futures: Sequence[Any],
    found: dict[Key, Outcome],
    done: Callable[[Key, Outcome], None] | None,
) -> None:
    """Wait for futures; those that were lost with what they depend on are left out."""
    from distributed import as_completed  # takes long to import; a client has done so

    # With its own results it would wait for ever for those that a scheduler takes along.
    for batch in as_completed(futures, loop=client.loop).batches():
        for future, result in zip(batch, _results(client, batch), strict=True):
            if isinstance(result, Outcome):
                outcome = result
            # Its state may have changed since the result was asked for.
            elif future.status != "error" or isinstance(result, CancelledError):
                continue
            else:
                outcome = NoValue(None, failure_of(result, str(future.key)), {})
            found[future.key] = outcome
            if done is not None:
                done(future.key, outcome)


def _results(client: Any, futures: Sequence[Any]) -> list[Any]:
    """Return the results of futures that are done, or why there are none."""
    try:
        gathered: list[Any] = client.gather(futures)
        return gathered
    except Exception:  # of one of them
        return [_result(one) for one in futures]


def _result(future: Any) -> Any:
    try:
        return future.result()
    except Exception as error:
        return error


def _is_lost(client: Any, key: Key) -> bool:
    state = client.futures.get(key)
    return state is None or state.status in ("cancelled", "lost")
