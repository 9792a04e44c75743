"""What the writing processes of the tests do."""

from __future__ import annotations

from typing import Any

import numpy as np

from stratum_dask._native import digest
from stratum_dask.store import Store
from stratum_dask.store.keys import load_key


def token(number: int) -> bytes:
    return digest(b"%d" % number)


def value(number: int, length: int) -> Any:
    return np.full(length, number, "i4") ^ np.arange(length)


def write(place: tuple[str, int, str], numbers: int, ready: Any) -> None:
    store = Store(*place)
    ready.wait()
    for number in range(numbers):
        store.put(token(number), value(number, 20_000), 2.0)


def write_on(place: tuple[str, int, str], started: Any) -> None:
    store = Store(*place)
    started.set()
    for number in range(10**6):
        store.put(token(number), value(number, 500_000), 2.0)


def make_key(path: str, found: Any) -> None:
    found.put((load_key(path).hex(), ""))
