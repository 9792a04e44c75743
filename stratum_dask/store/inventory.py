"""What a store holds, as far as this process knows, and whether there is room for more.

Others write and remove at the same time: what is there is listed anew when somebody asks for many
values, and after some writing.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from stratum_dask.store.files import Entry, Files
from stratum_dask.store.retention import room_of, to_remove

_TRUST = 64
"""The part of the budget after whose writing it is looked again what others have written."""
_SPARE = 16
"""The part of the budget that is freed at once when it is used up."""


class Inventory:
    """The entries of some files, by name, within a budget; safe for many threads.

    Parameters
    ----------
    files : Files
    budget : int
        Bytes that all entries together may take.

    Raises
    ------
    OSError
        By all methods but `find` and `forget`, if the files cannot be reached.
    """

    def __init__(self, files: Files, budget: int) -> None:
        self.files, self.budget = files, budget
        self._entries: dict[bytes, list[Entry]] = {}
        self._bad: set[str] = set()
        self._total: int | None = None
        self._written = 0
        self._lock = threading.RLock()

    @property
    def is_listed(self) -> bool:
        """Whether it was looked at all what is there."""
        return self._total is not None

    def look(self) -> bool:
        """List what is there now."""
        entries: dict[bytes, list[Entry]] = defaultdict(list)
        total = 0
        for entry in self.files.list():
            total += room_of(entry)
            if entry.name not in self._bad:
                entries[entry.token].append(entry)
        with self._lock:
            self._entries, self._total, self._written = dict(entries), total, 0
        return True

    def find(self, name: bytes) -> Sequence[Entry]:
        """Return the entries of a name that were there: several if many wrote it at once."""
        return tuple(self._entries.get(name, ()))

    def forget(self, entry: Entry) -> None:
        """Find an entry no more, which cannot be used."""
        with self._lock:
            self._bad.add(entry.name)
            left = [one for one in self._entries.get(entry.token, ()) if one.name != entry.name]
            self._entries[entry.token] = left

    def add(self, entry: Entry, parts: Sequence[Any]) -> bool:
        """Write an entry if there is room, or what saves less can make some; tell whether."""
        with self._lock:
            if not self._has_room(entry):
                return False
            # Counted before it is there, so that writers of this process know of each other.
            self._total = (self._total or 0) + room_of(entry)
            self._written += room_of(entry)
        self.files.write(entry, parts)
        with self._lock:
            self._entries.setdefault(entry.token, []).append(entry)
        return True

    def remove(self, entries: Iterable[Entry]) -> None:
        """Remove entries from the files."""
        for entry in entries:
            self.files.remove(entry)
        self.look()

    def _has_room(self, new: Entry) -> bool:
        if self._total is None or self._written + room_of(new) > self.budget // _TRUST:
            self.look()
        if (self._total or 0) + room_of(new) <= self.budget:
            return True
        self.files.tidy()  # what dead writers left takes room as well
        entries, now = [*self.files.list(times=True), new], time.time()
        if new in to_remove(entries, self.budget, now):
            return False
        gone = to_remove(entries, self.budget - self.budget // _SPARE, now)
        self.remove(entry for entry in gone if entry is not new)
        return True
