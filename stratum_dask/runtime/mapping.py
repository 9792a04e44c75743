"""Which values of a batch worker processes of this machine map instead of getting copies."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stratum_dask.graph import DataNode, GraphNode, Key, Task, TaskRef, call_of
from stratum_dask.ops.mapped import Mapped, forget
from stratum_dask.ops.sizes import nbytes_of

_BIG = 1 << 20
_MEMORY = Path("/dev/shm")


@contextmanager
def mapped(
    client: Any, dsk: Mapping[Key, GraphNode], keys: Collection[Key]
) -> Iterator[dict[Key, GraphNode]]:
    """Write the big values of a graph to files for a while, and give tasks these instead.

    Parameters
    ----------
    client : distributed.Client
        Of processes on this machine.
    dsk : mapping of key to GraphNode
    keys : collection of keys
        Wanted ones, which stay.
    """
    big = {
        key: node.value
        for key, node in dsk.items()
        if isinstance(node, DataNode) and key not in keys and nbytes_of(node.value) > _BIG
    }
    if not big:
        yield dict(dsk)
        return
    with _folder(sum(map(nbytes_of, big.values()))) as folder:
        files = {
            key: Mapped(value, folder / str(number))
            for number, (key, value) in enumerate(big.items())
        }
        tasks = {key: _with_files(node, files) for key, node in dsk.items()}
        # Those that stand inside containers are still sent.
        used = {dependency for node in tasks.values() for dependency in node.dependencies}
        try:
            yield {key: node for key, node in tasks.items() if key not in big or key in used}
        finally:
            client.run(_forget, str(folder), wait=False, on_error="ignore")


async def _forget(folder: str) -> None:  # runs beside a task that is not done yet
    forget(folder)


def _with_files(node: GraphNode, files: Mapping[Key, Mapped]) -> GraphNode:
    call = call_of(node)
    if call is None or files.keys().isdisjoint(node.dependencies):
        return node

    def given(argument: Any) -> Any:
        return files.get(argument.key, argument) if isinstance(argument, TaskRef) else argument

    kwargs = {name: given(argument) for name, argument in call.kwargs.items()}
    return Task(node.key, call.func, *map(given, call.args), **kwargs)


@contextmanager
def _folder(nbytes: int) -> Iterator[Path]:
    """Make a folder that only its owner may enter, in memory if there is plenty; remove it."""
    free = shutil.disk_usage(_MEMORY).free if os.access(_MEMORY, os.W_OK) else 0
    place = _MEMORY if free > 2 * nbytes else None
    with tempfile.TemporaryDirectory(prefix="stratum-", dir=place) as folder:
        yield Path(folder)
