"""Running a batch on the workers of a ``distributed.Client``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dask.sizeof import sizeof

from stratum_dask.graph import DataNode, GraphNode, Key
from stratum_dask.ops.outcomes import NoValue, Outcome, failure_of

_BIG = 1 << 20


def compute_on(
    client: Any,
    dsk: Mapping[Key, GraphNode],
    keys: Sequence[Key],
    done: Callable[[Key, Outcome], None] | None,
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

    Returns
    -------
    list of Outcome
    """
    from distributed import as_completed  # takes long to import; a client has done so

    dsk, kept = _scattered(client, dsk)
    futures = client.get(dsk, list(keys), sync=False)
    found: dict[Key, Outcome] = {}
    try:
        for future, result in as_completed(
            futures, loop=client.loop, with_results=True, raise_errors=False
        ):
            if future.status == "finished":
                outcome = result
            else:
                error = result[1] if isinstance(result, tuple) else result
                outcome = NoValue(None, failure_of(error, str(future.key)), {})
            found[future.key] = outcome
            if done is not None:
                done(future.key, outcome)
    except BaseException:
        client.cancel(futures)
        raise
    finally:
        del futures, kept
    return [found[key] for key in keys]


def _scattered(client: Any, dsk: Mapping[Key, GraphNode]) -> tuple[dict[Key, GraphNode], list[Any]]:
    """Send big values to a worker by themselves: in a graph they pass through the scheduler.

    They go as outcomes, which arrive as they were.
    """
    big = {
        key: Outcome(node.value, None, {})
        for key, node in dsk.items()
        if isinstance(node, DataNode) and sizeof(node.value) > _BIG
    }
    if not big:
        return dict(dsk), []
    kept = client.scatter(list(big.values()), hash=False)
    renamed = {key: future.key for key, future in zip(big, kept, strict=True)}
    tasks = {
        key: node if renamed.keys().isdisjoint(node.dependencies) else node.substitute(renamed)
        for key, node in dsk.items()
        if key not in big
    }
    return tasks, kept
