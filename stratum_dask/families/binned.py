"""Rows as a library of boosted trees bins them: the same for all ways to grow trees on them.

    bins of X, y    grow 15 leaves
                    grow 31 leaves       one search for the bins instead of three
                    grow 63 leaves

Histogram boosting first replaces every number by that of a bin (G. Ke et al., LightGBM, 2017;
T. Chen and C. Guestrin, XGBoost, 2016, section 3.2), by what the rows and few of the parameters
say. For many columns that is half of a fit.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any


class Filled(Exception):
    """The rows are binned, and no more of the fit is needed."""


class Binned:
    """Rows that a library has binned; made by whoever asks first, and shared by all who ask.

    They lie in the library's own memory and cannot travel: what arrives in another process is
    empty, and made once more there by the first fit that asks. The libraries only read them.

    Examples
    --------
    >>> rows = Binned()
    >>> rows.made(lambda: [1, 2]), rows.made(lambda: [3, 4])
    ([1, 2], [1, 2])
    """

    def __init__(self, nbytes: int = 0) -> None:
        self._lock = Lock()
        self._value: Any = None
        self._filling = False
        self._nbytes = nbytes

    def made(self, make: Callable[[], Any]) -> Any:
        """Return the binned rows; make them if nobody has."""
        with self._lock:
            if self._value is None:
                self._value = make()
        if self._filling:
            raise Filled
        return self._value

    def fill(self, fit: Callable[[], Any]) -> bool:
        """Run a fit up to where it asks for the rows, and tell whether it does."""
        self._filling = True
        try:
            fit()
        except Filled:
            return True
        finally:
            self._filling = False
        return False

    def __sizeof__(self) -> int:
        return self._nbytes

    def __reduce__(self) -> tuple[Any, ...]:
        return Binned, (self._nbytes,)


def of_rows(X: Any) -> Binned:
    """Return binned rows that are yet to be made, one byte for each number of X.

    Examples
    --------
    >>> import numpy as np
    >>> of_rows(np.zeros((4, 3))).__sizeof__()
    12
    """
    rows, columns = getattr(X, "shape", (0, 0))
    return Binned(int(rows) * int(columns))
