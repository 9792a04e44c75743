"""How long reading takes: measured, so that nothing is read which is sooner computed."""

from __future__ import annotations

_LARGE = 1 << 20
_WEIGHT = 0.25


class Speed:
    """A wait per entry and a time per byte, learnt from what reading took so far.

    Parameters
    ----------
    wait : float
        Seconds, until something was measured.
    rate : float
        Bytes per second, until something was measured.

    Examples
    --------
    >>> speed = Speed(wait=0.001, rate=1e9)
    >>> speed.seconds(10**9)
    1.001
    >>> speed.observe(100, 0.005)
    >>> speed.seconds(0)
    0.002
    """

    def __init__(self, wait: float, rate: float) -> None:
        self.wait, self.rate = wait, rate

    def seconds(self, size: int) -> float:
        """Return what reading so many bytes is expected to take."""
        return self.wait + size / self.rate

    def observe(self, size: int, seconds: float) -> None:
        """Take note of one reading."""
        if size < _LARGE:
            self.wait += _WEIGHT * (seconds - self.wait)
        elif seconds > self.wait:
            self.rate += _WEIGHT * (size / (seconds - self.wait) - self.rate)
