"""A client's connection to its scheduler: asking the plugin, and what is lost with a scheduler."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

from stratum_dask.errors import SchedulerLostError
from stratum_dask.scheduler import messages

_PATIENCE = 60
"""Seconds to wait for an answer of the scheduler."""
_LOOK = 0.05
"""Seconds between looks whether a client has found its scheduler again."""
_NOTICE = 20
"""Looks after which a client has noticed that its scheduler is gone."""

_warned: set[tuple[str, str]] = set()


def ask(client: Any, op: str, message: dict[str, Any]) -> dict[str, Any]:
    """Ask the plugin; an answer that is no answer warns once, and is empty.

    Parameters
    ----------
    client : distributed.Client
    op : str
        One of the plugin's handlers.
    message : dict

    Raises
    ------
    SchedulerLostError
        If there is no scheduler any more, or another one, which does not know this client yet.
    """

    async def put() -> Any:
        return await getattr(client.scheduler, op)(**message)

    address, connection = client.scheduler.address, client.scheduler_comm
    try:
        answer: dict[str, Any] = client.sync(put, callback_timeout=_PATIENCE)
    except Exception as error:
        if isinstance(error, OSError) and _has_lost(client, connection):
            raise lost_scheduler(client, address) from error
        warn_once(client, "asked", f"the scheduler did not answer: {error!r}")
        return {}
    status = answer["status"]
    if status == "stranger" and _has_lost(client, connection):
        raise lost_scheduler(client, address)
    if status == "version":
        text = (
            f"the scheduler has stratum_dask {answer['version']}, this process has "
            f"{messages.version()}; install the same version on both"
        )
        warn_once(client, status, text)
    elif status != "OK":
        warn_once(client, status, str(answer.get("reason")))
    return answer if status == "OK" else {}


def has_plugin(client: Any) -> bool:
    """Tell whether the scheduler of a client has the plugin.

    Raises
    ------
    SchedulerLostError
        As :func:`ask` does.
    """
    return bool(_call(client, partial(client.get_metadata, messages.METADATA, default=None)))


def threads_of(client: Any) -> list[int]:
    """Return how many threads each worker of a client's cluster has.

    Raises
    ------
    SchedulerLostError
        As :func:`ask` does.
    """
    return list(_call(client, client.nthreads).values())


def _call(client: Any, method: Callable[[], Any]) -> Any:
    address, connection = client.scheduler.address, client.scheduler_comm
    try:
        return method()
    except OSError as error:
        if _has_lost(client, connection):
            raise lost_scheduler(client, address) from error
        raise


def is_connected(client: Any) -> bool:
    """Wait while a client looks for its scheduler, as long as it does; tell whether it has one."""
    while client.status in ("connecting", "newly-connected"):
        time.sleep(_LOOK)
    return bool(client.status == "running")


def lost_scheduler(client: Any, address: str) -> SchedulerLostError:
    """Return what to raise where the scheduler at an address was lost.

    Waits until the client has found another one there, or gives up.
    """
    if is_connected(client):
        return SchedulerLostError(
            f"the scheduler at {address} was lost in the middle of the batch, and started again",
            replaced=True,
        )
    return SchedulerLostError(
        f"the scheduler at {address} was lost in the middle of the batch, and its client has found "
        "none there again; start one, and run the batch again with a new Client. With "
        "stratum.store.url set, what was computed is read then"
    )


def warn_once(client: Any, kind: str, text: str) -> None:
    """Warn that a client shares no results, once of each kind."""
    if (client.id, kind) not in _warned:
        _warned.add((client.id, kind))
        warnings.warn(
            f"no results are shared through the cluster at {client.scheduler.address}: {text}",
            stacklevel=3,
        )


def _has_lost(client: Any, connection: Any) -> bool:
    """Tell whether a connection to a scheduler is no more, which a client may notice later."""
    for _ in range(_NOTICE):
        if client.scheduler_comm is not connection or connection is None or connection.closed():
            return True
        time.sleep(_LOOK)
    return False
