"""The store as a source of values for plans."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import dask
from dask.sizeof import sizeof

from stratum_dask.graph import DataNode, GraphNode, Key, Task, TaskRef
from stratum_dask.ops.sharing import own
from stratum_dask.ops.stored import Keep, Originals, Ticket, load_stored, name_in_store
from stratum_dask.store.access import configured, open_store
from stratum_dask.store.files import Entry
from stratum_dask.store.store import Address, Missing, Store
from stratum_dask.store.surroundings import surroundings, surroundings_of_new_threads
from stratum_dask.user_code import user_code

_SMALL = 64 * 1024
"""Entries up to this size are read when the batch is planned: then nothing can go wrong later."""
_IN_THIS_THREAD = ("sync", "synchronous", "single-threaded")
_BIG = 64 * 1024
"""Literals from this size on do not travel with each reading task."""


class StoredValues:
    """Values that earlier batches have left in the store.

    Parameters
    ----------
    store : Store
    address : Address
    settings : bytes
        Under which this batch will run.

    Attributes
    ----------
    asked : set of bytes
        What may be stored: the tokens that were asked for.
    sizes : dict of bytes to int
        The bytes of what was found.
    """

    def __init__(self, store: Store, address: Address, settings: bytes) -> None:
        self.store, self.address, self.settings = store, address, settings
        self.asked: set[bytes] = set()
        self.sizes: dict[bytes, int] = {}

    live = False

    @cached_property
    def _code(self) -> dict[str, bytes]:
        return user_code()

    def find(self, tokens: Sequence[bytes]) -> Mapping[bytes, Stored]:
        """Return those of some values that are stored, and sooner read than computed."""
        self.asked.update(tokens)
        names = {name_in_store(token, self.settings): token for token in tokens}
        there = self.store.contains(names)
        found = {
            names[name]: Stored(self, names[name], entry)
            for name, entry in there.items()
            if self.store.speed.seconds(entry.size) < entry.seconds
        }
        self.sizes.update((token, stored.entry.size) for token, stored in found.items())
        counts = self.store.counts
        counts["miss: not there"] += len(names) - len(there)
        counts["miss: sooner computed than read"] += len(there) - len(found)
        return found

    def keep(
        self, func: Callable[..., Any], token: bytes, after: Sequence[bytes]
    ) -> Callable[..., Any]:
        """Return a function that leaves its value in the store if that is worth it."""
        if token not in self.asked:  # the value of something narrower than what was asked for
            return func
        before = tuple(one for one in after if one in self.asked)
        return Keep(func, token, before, self.address, self._code)


class Stored:
    """One value in the store.

    Parameters
    ----------
    source : StoredValues
    token : bytes
    entry : Entry
    """

    def __init__(self, source: StoredValues, token: bytes, entry: Entry) -> None:
        self.source, self.token, self.entry = source, token, entry

    @property
    def seconds(self) -> float:
        """What computing it took."""
        return self.entry.seconds

    def task(self, key: Key, instead_of: Key, originals: Originals) -> GraphNode | None:
        """Return the task that reads it; None if it turns out to be unusable already.

        Parameters
        ----------
        key : key
            Of the task.
        instead_of : key
            The task whose value it is.
        originals : Originals
        """
        if self.entry.size <= _SMALL:
            try:
                return Task(key, own, self.source.store.load(self.entry).value)
            except Missing:
                return None
        given = _large_inputs(originals, instead_of)
        source = self.source
        ticket = Ticket(
            source.address, self.entry, source.settings, originals, instead_of, self.token, given
        )
        return Task(key, load_stored, ticket, *map(TaskRef, given))


def stored_values(threads: int | None = None) -> tuple[StoredValues, ...]:
    """Return the configured store as a source of values.

    Parameters
    ----------
    threads : int, optional
        How many inner threads tasks will have, and that they run under the caller's settings; by
        default those of a new thread.

    Returns
    -------
    tuple of StoredValues
        Empty if none is configured, or it cannot be reached.

    Raises
    ------
    ConfigError, StoreError
        If settings are not allowed, or the store must not be used.
    """
    address = configured()
    store = open_store(address) if address is not None else None
    if address is None or store is None:
        return ()
    here = threads is not None or dask.config.get("scheduler", None) in _IN_THIS_THREAD
    settings = surroundings(threads) if here else surroundings_of_new_threads()
    return (StoredValues(store, address, settings),)


def _large_inputs(originals: Originals, key: Key) -> list[Key]:
    """Return the large literals that computing a value needs."""
    found: list[Key] = []
    seen: set[Key] = set()
    stack = [key]
    while stack:
        one = stack.pop()
        if one in seen:
            continue
        seen.add(one)
        node = originals.tasks[one]
        if isinstance(node, DataNode) and sizeof(node.value) >= _BIG:
            found.append(one)
        stack.extend(node.dependencies)
    return found
