"""Writing behind the tasks' backs: they go on while one thread compresses, seals and writes."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait

from stratum_dask.store.store import Store
from stratum_dask.store.values import Encoded

_MOST = 256 << 20
"""Bytes that may wait; what comes on top is not written."""


class _Behind:
    """The thread that writes, started at the first value; the process ends after it is done."""

    def __init__(self) -> None:
        self.waiting: dict[int, Future[None]] = {}
        self.nbytes = self.number = 0
        self.lock = threading.Lock()
        self.executor: ThreadPoolExecutor | None = None

    def take(self, store: Store, token: bytes, encoded: Encoded, seconds: float) -> bool:
        """Copy a value and let it be written, unless too much is waiting."""
        with self.lock:
            if self.nbytes + encoded.nbytes > _MOST:
                store.refuse("too much is waiting to be written")
                return False
            self.nbytes += encoded.nbytes
        copy = encoded.snapshot()
        with self.lock:
            if self.executor is None:
                self.executor = ThreadPoolExecutor(1, thread_name_prefix="stratum-store")
            self.number += 1
            number = self.number
            self.waiting[number] = self.executor.submit(
                self.write, number, store, token, copy, seconds
            )
        return True

    def write(
        self, number: int, store: Store, token: bytes, encoded: Encoded, seconds: float
    ) -> None:
        """Write one value; whatever fails is counted, since nobody waits for it."""
        try:
            store.put_encoded(token, encoded, seconds)
        except Exception as error:
            store.refuse(f"{type(error).__name__}: {error}")
        finally:
            with self.lock:
                self.nbytes -= encoded.nbytes
                del self.waiting[number]


_behind = _Behind()


def write_behind(store: Store, token: bytes, encoded: Encoded, seconds: float) -> bool:
    """Write a value soon, from a copy that is taken now.

    Parameters
    ----------
    store : Store
    token : bytes
    encoded : Encoded
    seconds : float
        What computing it took.

    Returns
    -------
    bool
        False if too much is waiting already.
    """
    return _behind.take(store, token, encoded, seconds)


def flush() -> None:
    """Wait until all that was to be written is."""
    with _behind.lock:
        waiting = list(_behind.waiting.values())
    wait(waiting)
