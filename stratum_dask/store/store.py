"""The store: values by their identity, kept across restarts and shared by machines.

It never stands in the way. What cannot be read is a miss and what cannot be written is left out;
both are counted with the reason. A disk that is full or a URL that does not answer is said once,
and left alone for a while.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, TypeVar

from stratum_dask._native import digest
from stratum_dask.store.container import (
    TOO_LARGE,
    VERSION,
    Bad,
    Opened,
    check,
    check_size,
    key_id,
    seal,
    unseal,
)
from stratum_dask.store.files import Entry, Files, LocalFiles, open_files
from stratum_dask.store.inventory import Inventory
from stratum_dask.store.keys import load_key
from stratum_dask.store.retention import to_remove
from stratum_dask.store.speed import Speed
from stratum_dask.store.trouble import pause_after, say
from stratum_dask.store.values import Encoded, Refused, encode

T = TypeVar("T")

_OTHERS = ("other version", "foreign key", TOO_LARGE)
"""Reasons for which an entry stays, since others may read it."""
_REASONS = 1_000
"""Reasons that are told apart: some name what they are about."""


class Missing(Exception):
    """The store cannot give a value; the message is the reason."""


class Address(NamedTuple):
    """Where a store is, as it travels with tasks; the key itself never does.

    Attributes
    ----------
    url : str
        A directory or fsspec URL.
    budget : int
        Bytes.
    key_file : str
    timeout : float
        Seconds that a file system behind a URL may take to answer.
    """

    url: str
    budget: int
    key_file: str
    timeout: float = 20.0


class Checked(NamedTuple):
    """What :meth:`Store.verify` found of one entry.

    Attributes
    ----------
    entry : Entry
    reason : str
        Why it cannot be used; empty if it can.
    """

    entry: Entry
    reason: str


class Store:
    """Values by their identity, in a directory or behind an fsspec URL; safe for many processes.

    Parameters
    ----------
    url : str
        A directory, which is made if it does not exist, or any fsspec URL.
    budget : int
        Bytes that all entries together may take; 4 KiB is the least that one takes. Several
        processes that write at once may exceed it by a 64th each until they look again.
    key_file : str
        Holds the key that seals entries; made if there is none. Machines that share a store
        share the key.
    timeout : float
        Seconds that a file system behind a URL may take to answer.

    Attributes
    ----------
    counts : Counter
        Hits, writes, and reasons of misses and of what was not written.
    speed : Speed
        What reading takes.

    Raises
    ------
    StoreError
        If the directory or the key is open to other users, or the URL needs a library that is
        not installed.
    OSError
        If it cannot be reached.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> store = Store(folder, 1_000_000, folder + "/key")
    >>> store.put(bytes(16), [1, 2], seconds=0.5)
    True
    >>> store.get(bytes(16)).value
    [1, 2]
    """

    def __init__(self, url: str, budget: int, key_file: str, timeout: float = 20.0) -> None:
        self.url, self.budget = url, budget
        self.key = load_key(key_file)
        self.files: Files = open_files(url, timeout)
        self._head = key_id(self.key) + bytes([VERSION])
        self.counts: Counter[str] = Counter()
        near = isinstance(self.files, LocalFiles)
        self.speed = Speed(0.0002, 1e9) if near else Speed(0.05, 5e7)
        self._inventory = Inventory(self.files, budget)
        self._asleep = 0.0

    # -- what tasks ask ---------------------------------------------------------------------------

    def contains(self, tokens: Iterable[bytes]) -> dict[bytes, Entry]:
        """Return the entries of those values that are there; from one listing."""
        if self._attempt("listed", self._inventory.look) is None:
            return {}
        there = {token: self._inventory.find(self._name(token)) for token in tokens}
        return {token: entries[0] for token, entries in there.items() if entries}

    def get(self, token: bytes) -> Opened:
        """Return a value of its own, and what computing it took.

        Raises
        ------
        Missing
            If it is not there or cannot be used. An entry that was torn or altered is removed.
        """
        if not self._inventory.is_listed:
            self._attempt("listed", self._inventory.look)
        reason = "not there"
        for entry in self._inventory.find(self._name(token)):
            try:
                return self.load(entry)
            except Missing as why:
                reason = str(why)
        raise Missing(reason)

    def load(self, entry: Entry) -> Opened:
        """Return the value of an entry, as :meth:`get` does.

        Raises
        ------
        Missing
        """
        began = time.perf_counter()
        found = self._attempt("read", lambda: self._open(entry))
        if isinstance(found, Opened):
            self.speed.observe(entry.size, time.perf_counter() - began)
            self.counts["hit"] += 1
            return found
        reason = found or "no store"
        self.counts[f"miss: {reason}"] += 1
        if found is not None:
            self._inventory.forget(entry)
        raise Missing(reason)

    def put(self, token: bytes, value: Any, seconds: float) -> bool:
        """Keep a value.

        Parameters
        ----------
        token : bytes
            Its identity, 16 bytes.
        value : object
        seconds : float
            What computing it took.

        Returns
        -------
        bool
            Whether it is there now; if not, `counts` says why.
        """
        try:
            return self.put_encoded(token, encode(value), seconds)
        except Refused as why:
            self.refuse(str(why))
            return False

    def put_encoded(self, token: bytes, encoded: Encoded, seconds: float) -> bool:
        """Keep a value that is bytes already."""
        name = self._name(token)
        if self._inventory.find(name):
            return True
        parts = seal(name, encoded, seconds, self.key)
        entry = Entry(name, sum(map(len, parts)), seconds, time.time())
        if not self._attempt("written", lambda: self._inventory.add(entry, parts)):
            self.refuse("no room for it, or no store")
            return False
        self.counts["written"] += 1
        return True

    def refuse(self, why: str) -> None:
        """Count a value that is not written."""
        name = f"not written: {why}"
        known = name in self.counts or len(self.counts) < _REASONS
        self.counts[name if known else "not written: other reasons"] += 1

    # -- what the owner asks ----------------------------------------------------------------------

    def entries(self) -> list[Entry]:
        """Return all entries, with the times of their last use."""
        return list(self.files.list(times=True))

    def verify(self) -> Iterator[Checked]:
        """Read every entry and check its seal."""
        for entry in self.files.list():
            reason = ""
            try:
                check_size(entry.size)
                check(self.files.read(entry), entry.token, self.key)
            except FileNotFoundError:
                continue
            except Bad as why:
                reason = str(why)
            yield Checked(entry, reason)

    def prune(self, budget: int | None = None) -> list[Entry]:
        """Remove what is there twice, what dead writers left behind, and what is too much.

        Parameters
        ----------
        budget : int, optional
            Bytes that the rest may take; by default the store's.
        """
        self.files.tidy()
        entries = self.entries()
        once = {entry.token: entry for entry in entries}  # some wrote the same at the same time
        gone = [entry for entry in entries if once[entry.token] is not entry]
        gone += to_remove(once.values(), self.budget if budget is None else budget, time.time())
        self._inventory.remove(gone)
        return gone

    def clear(self) -> list[Entry]:
        """Remove all entries."""
        gone = list(self.files.list())
        self._inventory.remove(gone)
        return gone

    # -- inside -----------------------------------------------------------------------------------

    def _name(self, token: bytes) -> bytes:
        """Return what a value is called here; with another key or format, something else."""
        return digest(self._head + token)

    def _open(self, entry: Entry) -> Opened | str:
        """Return what an entry holds, or why it cannot be used."""
        try:
            check_size(entry.size)
            opened = unseal(self.files.read(entry), entry.token, self.key)
        except FileNotFoundError:
            return "gone"
        except Bad as why:
            if str(why) not in _OTHERS:
                self.files.remove(entry)
            return str(why)
        self.files.touch(entry)
        return opened

    def _attempt(self, what: str, call: Callable[[], T]) -> T | None:
        """Return what a call gives, or None while the store fails; say so once."""
        if time.monotonic() < self._asleep:
            return None
        try:
            return call()
        except OSError as error:
            self._asleep = time.monotonic() + pause_after(error)
            self.counts[f"failed: could not be {what}"] += 1
            say(self.url, what, f"{type(error).__name__}: {error}")
            return None
