"""What is kept when there is not room for all: what saves most time per byte."""

from __future__ import annotations

from collections.abc import Iterable

from stratum_dask.store.files import Entry

_DAY = 86_400.0
_BLOCK = 4096
"""What a file takes at least."""


def room_of(entry: Entry) -> int:
    """Return how many bytes of the budget an entry takes."""
    return -(-entry.size // _BLOCK) * _BLOCK


def benefit(entry: Entry, now: float) -> float:
    """Return the seconds that an entry is expected to save, per byte.

    What was not used for a day is expected to be used half as often, after two days a third.

    Examples
    --------
    >>> fresh = Entry(b"", 4096, 2.0, used=0.0)
    >>> benefit(fresh, 0.0) / benefit(fresh, 86_400.0)
    2.0
    """
    idle = max(now - entry.used, 0.0) / _DAY
    return entry.seconds / room_of(entry) / (1.0 + idle)


def to_remove(entries: Iterable[Entry], budget: int, now: float) -> list[Entry]:
    """Choose what goes, least benefit first, until the rest fits.

    Parameters
    ----------
    entries : iterable of Entry
    budget : int
        Bytes.
    now : float
        Seconds since 1970.

    Returns
    -------
    list of Entry
    """
    ranked = sorted(entries, key=lambda entry: benefit(entry, now))
    total = sum(map(room_of, ranked))
    gone: list[Entry] = []
    for entry in ranked:
        if total <= budget:
            break
        gone.append(entry)
        total -= room_of(entry)
    return gone
