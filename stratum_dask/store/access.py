"""The store of this process: where the configuration says it is, opened once."""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import Any

import dask
from dask.utils import parse_bytes, parse_timedelta

from stratum_dask.errors import ConfigError, StoreError
from stratum_dask.store.store import Address, Store
from stratum_dask.store.trouble import pause_after, say

_lock = threading.Lock()
_opened: dict[Address, Store] = {}
_failed: dict[Address, float] = {}


def configured() -> Address | None:
    """Return where the configuration says that results are kept, or None if they are not.

    Raises
    ------
    ConfigError
        If a setting is not allowed.
    """
    url = dask.config.get("stratum.store.url")
    if url is None:
        return None
    if not isinstance(url, str) or not url:
        raise ConfigError(f"stratum.store.url is {url!r}; give a directory, a URL or null")
    size, key = dask.config.get("stratum.store.bytes"), dask.config.get("stratum.store.key")
    try:
        budget = parse_bytes(size)
    except (ValueError, TypeError):
        raise ConfigError(f"stratum.store.bytes is {size!r}; give a size like 10 GiB") from None
    if budget <= 0:
        raise ConfigError(f"stratum.store.bytes is {size!r}; give a size above zero")
    if not isinstance(key, str) or not key:
        raise ConfigError(f"stratum.store.key is {key!r}; give the path of a file")
    return Address(url, budget, key, _timeout(dask.config.get("stratum.store.timeout")))


def _timeout(given: Any) -> float:
    try:
        seconds = float(parse_timedelta(given))
    except (KeyError, ValueError, TypeError, AttributeError):
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise ConfigError(f"stratum.store.timeout is {given!r}; give a time like 20 s")
    return seconds


def open_store(address: Address) -> Store | None:
    """Return the store at an address, opened once per process; None while it cannot be reached.

    Raises
    ------
    StoreError
        If it must not be used: see :class:`Store`.
    """
    with _lock:
        store = _opened.get(address)
        if store is None and time.monotonic() >= _failed.get(address, 0.0):
            try:
                store = _opened[address] = Store(*address)
            except StoreError:
                raise
            except Exception as error:  # file systems raise whatever their libraries do
                _failed[address] = time.monotonic() + pause_after(error)
                say(address.url, "reached", f"{type(error).__name__}: {error}")
        return store


def open_in_task(address: Address) -> Store | None:
    """Return the store as :func:`open_store` does; on a machine that may not use it, None."""
    try:
        return open_store(address)
    except StoreError as error:
        say(address.url, "opened", str(error))
        return None


def tally() -> dict[str, int]:
    """Return what became of values in the stores of this process, as :attr:`Store.counts` has it.

    Reasons come without their details, which may tell of the values.
    """
    found: Counter[str] = Counter()
    for store in tuple(_opened.values()):
        for name, times in dict(store.counts).items():
            kind, _, reason = name.partition(": ")
            found[f"{kind}: {reason.partition(': ')[0]}" if reason else kind] += times
    return {name: times for name, times in found.items() if times}
