"""Amounts as people read them."""

from __future__ import annotations


def size_of(nbytes: float) -> str:
    """Return a number of bytes with three digits, in units of a thousand.

    Examples
    --------
    >>> size_of(999), size_of(1_234_567)
    ('999 B', '1.23 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if nbytes < 1_000:
            return f"{nbytes:,.3g} {unit}"
        nbytes /= 1_000
    return f"{nbytes:,.3g} TB"


def time_of(seconds: float) -> str:
    """Return a duration in seconds, or in milliseconds if it is shorter than one.

    Examples
    --------
    >>> time_of(0.0125), time_of(90)
    ('12.5 ms', '90.0 s')
    """
    return f"{seconds:,.1f} s" if seconds >= 1 else f"{seconds * 1e3:,.1f} ms"
