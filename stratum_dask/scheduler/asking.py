"""Asking a worker what only its process knows."""

from __future__ import annotations

import asyncio
import json
import pickle
from collections.abc import Callable
from typing import Any

from distributed.protocol import Serialize, deserialize

_PLAIN = ("msgpack",)


async def ask_worker(
    scheduler: Any, address: str, function: Callable[[], Any], patience: float
) -> Any:
    """Return what a function returns that is called in a worker's process.

    Parameters
    ----------
    scheduler : distributed.Scheduler
    address : str
    function : callable
        One of ours, which the worker imports. Returns what JSON can hold, as text: nothing that
        comes from a worker is unpickled here.
    patience : float
        Seconds to wait for the answer.

    Returns
    -------
    object
        What the text says; None if the function raised.

    Raises
    ------
    Exception
        Whatever happens on the way: the worker is gone or busy, or has no stratum_dask.
    """
    reply = await asyncio.wait_for(
        scheduler.rpc(address).run(function=pickle.dumps(function), deserializers=_PLAIN),
        timeout=patience,
    )
    if reply["status"] != "OK":
        return None
    sent = reply["result"]  # which the scheduler leaves as it came
    if isinstance(sent, Serialize):  # from a worker in this process
        return json.loads(sent.data)
    return json.loads(deserialize(sent.header, sent.frames, deserializers=_PLAIN))
