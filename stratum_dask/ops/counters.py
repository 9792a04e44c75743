"""Process-wide counts of what ran natively and what fell back to the libraries, and why."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple


class Counters(NamedTuple):
    """Counts at one moment.

    Attributes
    ----------
    hits : dict
        Calls that ran natively, by canonical op name.
    fallbacks : dict
        Calls that the library ran, by ``(op, reason)``.
    """

    hits: dict[str, int]
    fallbacks: dict[tuple[str, str], int]


_lock = threading.Lock()
_hits: Counter[str] = Counter()
_fallbacks: Counter[tuple[str, str]] = Counter()


def hit(op: str) -> None:
    """Count one call of `op` that ran natively."""
    record((op,), ())


def fallback(op: str, reason: str) -> None:
    """Count one call of `op` that the library ran, because of `reason`."""
    record((), ((op, reason),))


def record(hits: Iterable[str], fallbacks: Iterable[tuple[str, str]]) -> None:
    """Count the calls of a whole run at once.

    Examples
    --------
    >>> reset()
    >>> record([".fillna", "numpy.log1p"], [(".rank", "no rule")])
    >>> snapshot().fallbacks
    {('.rank', 'no rule'): 1}
    """
    with _lock:
        _hits.update(hits)
        _fallbacks.update(fallbacks)


def snapshot() -> Counters:
    """Return a copy of the counts."""
    with _lock:
        return Counters(dict(_hits), dict(_fallbacks))


def reset() -> None:
    """Set all counts to zero."""
    with _lock:
        _hits.clear()
        _fallbacks.clear()
