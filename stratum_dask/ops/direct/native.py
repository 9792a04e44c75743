"""A single call as a task that runs natively where it can."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from stratum_dask.ops import counters
from stratum_dask.ops.direct.table import call, call_parts, has_form
from stratum_dask.ops.steps import Unsupported


class Native:
    """A function that tries its native form first, once the real arguments are known.

    Parameters
    ----------
    op : str
        Canonical name of what the user calls.
    func : callable
        What the user calls.

    Examples
    --------
    >>> from dask.utils import methodcaller
    >>> import pandas as pd
    >>> from sklearn.preprocessing import MinMaxScaler
    >>> scaler = MinMaxScaler().fit(pd.DataFrame({"a": [1.0, 3.0]}))
    >>> Native(".transform", methodcaller("transform"))(scaler, pd.DataFrame({"a": [2.0]}))
    array([[0.5]])
    """

    def __init__(self, op: str, func: Callable[..., Any]) -> None:
        self.op = op
        self.func = func

    @property
    def __name__(self) -> str:
        return getattr(self.func, "__name__", type(self.func).__name__)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the native form, or the user's function where there is none.

        What was never to run natively, like the fit of a forest, is no fallback to count.
        """
        if not (args and has_form(self.op, type(args[0]))):
            return self.func(*args, **kwargs)
        try:
            value = call(self.op, args, kwargs)
        except Unsupported as why:
            counters.fallback(self.op, args, str(why))
        else:
            counters.hit(self.op)
            return value
        with suppress(Unsupported):
            return call_parts(self.op, args, kwargs)
        # Not where the refusal is caught: what it raises shall not seem to follow from that.
        return self.func(*args, **kwargs)
