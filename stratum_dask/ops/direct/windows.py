"""Extremes of rolling windows: pandas' own methods on another loop over the rows.

Windows, labels, checks and errors are pandas'.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.typing import Rolling
from pandas.core.window.rolling import RollingAndExpandingMixin

from stratum_dask import _native
from stratum_dask.ops.direct.lengths import refuse_few
from stratum_dask.ops.memory import empty
from stratum_dask.ops.rebound import with_globals
from stratum_dask.ops.steps import Unsupported, attempt

#: Of longer windows pandas' queues find the extremes as quickly.
_LONG = 500


def _rolling(table: Any, *args: Any, **kwargs: Any) -> Any:
    return attempt(table.rolling, *args, **kwargs)


def _extremes(
    values: np.ndarray, starts: np.ndarray, ends: np.ndarray, least: int, *, smallest: bool
) -> np.ndarray:
    """Return the extreme of each window, as pandas' loops do."""
    out = empty(len(starts), np.float64)
    _native.window_extremes(values, starts, ends, least, smallest, out)
    return out


_LOOPS = SimpleNamespace(
    roll_min=partial(_extremes, smallest=True), roll_max=partial(_extremes, smallest=False)
)
_METHODS = {
    name: with_globals(getattr(RollingAndExpandingMixin, name), window_aggregations=_LOOPS)
    for name in ("min", "max")
}


def _method(name: str) -> Callable[..., Any]:
    def method(rolling: Rolling, *args: Any, **kwargs: Any) -> Any:
        if type(rolling.window) is not int:
            raise Unsupported("windows of times, or of the user")
        if rolling.window > _LONG:
            raise Unsupported("long windows")
        refuse_few(len(rolling.obj), "extremes of windows")
        return attempt(_METHODS[name], rolling, *args, **kwargs)

    return method


WINDOWS: dict[tuple[str, type], Callable[..., Any]] = {
    (".rolling", pd.Series): _rolling,
    (".rolling", pd.DataFrame): _rolling,
    **{(f".{name}", Rolling): _method(name) for name in _METHODS},
}
"""The entries for rolling windows."""
