"""Calls of scikit-learn that are run as they are, since they cannot be taken apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


class WholeCall:
    """A call of a function that leaves its data as they are, but may change other arguments.

    These stay the user's own objects: callbacks and scorers may keep records.

    Parameters
    ----------
    func : callable
    given : mapping
        Its arguments but for the data.

    Examples
    --------
    >>> WholeCall(sorted, {"reverse": True})([1, 2])
    [2, 1]
    """

    def __init__(self, func: Callable[..., Any], given: Mapping[str, Any]) -> None:
        self.func, self.given = func, given

    @property
    def __name__(self) -> str:
        return getattr(self.func, "__name__", type(self.func).__name__)

    def __call__(self, *data: Any, **named: Any) -> Any:
        """Call it on the data."""
        return self.func(*data, **named, **self.given)
