"""Worker processes of our own, kept warm: what takes one down takes nothing else with it.

They are forked from a server that has only imported, never from this process: one that has
fitted with threads makes its forked children hang. So imports are paid once, also by the process
that takes the place of one that died, and the processes stay for the next batch.

Imported only when processes are wanted, since distributed takes long to import.
"""

from __future__ import annotations

import atexit
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import dask
from dask.system import CPU_COUNT
from dask.utils import parse_bytes
from distributed import Client, LocalCluster, Nanny
from distributed.system import MEMORY_LIMIT
from distributed.utils import get_mp_context

from stratum_dask.errors import ConfigError, StratumError
from stratum_dask.user_code import is_the_same, user_code

_lock = threading.Lock()
_started: dict[int, tuple[Any, Any]] = {}
_code: dict[str, bytes] = {}
"""What the user's modules said when processes that run may have loaded them."""
_path: list[str] = []
"""Where they look for modules."""
_FOREVER = 1_000_000
_PATIENCE = 60
"""Seconds that processes may take to start again."""
_FORKED = {"distributed.worker.multiprocessing-method": "forkserver"}

_SHARE = 0.9
"""Of a process's part of the memory; distributed ends processes a little above."""

_BOOSTERS = ("lightgbm", "xgboost", "catboost")


class _Nanny(Nanny):  # type: ignore[misc]  # distributed is not typed
    """Starts its process, again too, from the server that has imported everything."""

    async def instantiate(self) -> Any:
        with dask.config.set(_FORKED):
            return await super().instantiate()


class _Cluster(LocalCluster):  # type: ignore[misc]  # distributed is not typed
    """Leaves processes that died to their nannies, which start others.

    distributed's own would close a nanny that is just starting one again, and fail when it is
    closed if a process died before it was known.
    """

    def _update_worker_status(self, op: str, msg: Any) -> None:
        if op == "remove":
            self.scheduler_info["workers"].pop(msg, None)
        else:
            super()._update_worker_status(op, msg)


def isolated_client(workers: int | None = None) -> Any:
    """Return a client of one-thread worker processes; started at the first call.

    They are started anew when a module of the user's was loaded again, or may be elsewhere.

    Parameters
    ----------
    workers : int, optional
        How many; one per core by default.

    Returns
    -------
    distributed.Client

    Raises
    ------
    StratumError
        If the processes do not start.
    """
    many = workers or CPU_COUNT
    with _lock:
        # What processes would not notice: they would run old code, or find none.
        if not is_the_same(_code) or _path != _places():
            _stop()
        _code.update(user_code())
        _path[:] = _places()
        client, _ = _started.get(many, (None, None))
        if client is None or client.status != "running":
            _preload()
            # Which task killed a worker is found by its record; the scheduler shall not guess.
            with dask.config.set({"distributed.scheduler.allowed-failures": _FOREVER}):
                cluster = _cluster(many)
            client = Client(cluster, set_as_default=False)
            _started[many] = client, cluster
        try:  # some may have died at the end of the last batch
            client.wait_for_workers(many, timeout=_PATIENCE)
        except TimeoutError as error:
            raise StratumError(
                f"worker processes that died did not start again: {error}"
            ) from error
        return client


@contextmanager
def ended_with(client: Any) -> Iterator[None]:
    """End all that the processes of a client do if a batch is left by an exception.

    Nothing else stops a task that runs already, and the next batch would wait for it. Others take
    their places.
    """
    try:
        yield
    except BaseException:
        for nanny in client.cluster.workers.values():
            with suppress(OSError, TypeError):  # it is just being started again
                os.kill(nanny.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
        raise


def _cluster(many: int) -> LocalCluster:
    try:
        return _Cluster(
            n_workers=many,
            threads_per_worker=1,
            worker_class=_Nanny,
            dashboard_address=":0",
            silence_logs=logging.CRITICAL,
        )
    except RuntimeError as error:
        raise StratumError(
            f"the worker processes did not start: {error} They import the main module: in a "
            'script, call what needs them below `if __name__ == "__main__":`'
        ) from error


def _places() -> list[str]:
    """Return where modules are looked for, but for folders that distributed adds with a cluster."""
    return [place for place in sys.path if "dask-scratch-space" not in str(place)]


def memory_of_each(many: int) -> int:
    """Return how many bytes each of some processes may have: ``stratum.memory``, or their share.

    Raises
    ------
    ConfigError
        If the setting is no number of bytes.
    """
    chosen = dask.config.get("stratum.memory")
    if chosen is None:
        return int(_SHARE * MEMORY_LIMIT / many)
    try:
        return int(parse_bytes(chosen))
    except (ValueError, AttributeError, TypeError) as error:
        raise ConfigError(f"stratum.memory is {chosen!r}; give bytes, as in '4 GiB'") from error


def _preload() -> None:
    with dask.config.set(_FORKED):
        context = get_mp_context()  # which sets its own list, once
    modules = ("distributed", "stratum_dask", "stratum_dask.ops.watch", "sklearn.ensemble")
    context.set_forkserver_preload([*modules, *(m for m in _BOOSTERS if m in sys.modules)])


def running() -> list[Any]:
    """Return the clients of all worker processes that were started and run."""
    with _lock:
        return [client for client, _ in _started.values() if client.status == "running"]


def stop_processes() -> None:
    """Stop all worker processes; the next batch that wants some starts new ones."""
    with _lock:
        _stop()


def _stop() -> None:
    stopped = list(_started.values())
    _started.clear()
    _code.clear()
    for client, cluster in stopped:
        client.close()
        cluster.close()


atexit.register(stop_processes)
