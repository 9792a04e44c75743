"""Rolling windows: pandas' own methods on other loops over the rows.

Labels, checks and errors are pandas'; where a window begins and ends is said in three numbers
instead of two for each row.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from pandas._libs.window import aggregations
from pandas.api.typing import Rolling
from pandas.core.window.rolling import RollingAndExpandingMixin

from stratum_dask import _native
from stratum_dask.ops.direct.lengths import refuse_few
from stratum_dask.ops.memory import empty
from stratum_dask.ops.rebound import with_globals
from stratum_dask.ops.steps import Unsupported, attempt

#: Of longer windows pandas' queues find the extremes as quickly.
_LONG = 500

Moved = tuple[int, int, int]
"""The first row of the first window, the one after its last, and how far the next window is."""


def _rolling(table: Any, *args: Any, **kwargs: Any) -> Any:
    return attempt(table.rolling, *args, **kwargs)


class _Rolling(Rolling):  # type: ignore[misc]  # pandas is not typed
    """Windows whose methods give their loops what moves instead of bounds for each row."""

    def _apply(self, func: Callable[..., np.ndarray], name: str, numeric_only: bool = False) -> Any:
        step = 1 if self.step is None else self.step
        offset = (self.window - 1) // 2 if self.center else 0
        start = 1 + offset - self.window - (self.closed in ("left", "both"))
        end = 1 + offset - (self.closed in ("left", "neither"))
        least = self.window if self.min_periods is None else self.min_periods

        def of_column(values: np.ndarray) -> np.ndarray:
            return func(values, (start, end, step), None, least)

        return self._apply_columnwise(of_column, name, numeric_only)


def _windows(rolling: Rolling) -> _Rolling:
    """Return the same windows with other loops."""
    if type(rolling.window) is not int or rolling.window < 1 or rolling.method != "single":
        raise Unsupported("windows of times, or of the user")
    if rolling.step == 0:
        raise Unsupported("windows that don't move")
    windows = _Rolling.__new__(_Rolling)
    windows.__dict__.update(rolling.__dict__)
    return windows


def _extremes(
    values: np.ndarray, windows: Moved, _: None, least: int, *, smallest: bool
) -> np.ndarray:
    out = _for(values, windows)
    _native.window_extremes(values, windows, least, smallest, out)
    return out


def _sums(values: np.ndarray, windows: Moved, _: None, least: int, *, mean: bool) -> np.ndarray:
    out = _for(values, windows)
    _native.window_sums(values, windows, least, mean, out)
    return out


def _variances(
    values: np.ndarray, windows: Moved, _: None, least: int, *, ddof: int, root: bool
) -> np.ndarray:
    out = _for(values, windows)
    _native.window_variances(values, windows, least, ddof, root, out)
    return out


def _for(values: np.ndarray, windows: Moved) -> np.ndarray:
    return empty(-(-len(values) // windows[2]), np.float64)


_LOOPS = SimpleNamespace(
    roll_min=partial(_extremes, smallest=True),
    roll_max=partial(_extremes, smallest=False),
    roll_sum=partial(_sums, mean=False),
    roll_mean=partial(_sums, mean=True),
    roll_var=partial(_variances, root=False),
)
#: Loops that already write the roots of what they find.
_ROOTS = SimpleNamespace(roll_var=partial(_variances, root=True))

_METHODS = {
    name: with_globals(getattr(RollingAndExpandingMixin, name), window_aggregations=_LOOPS)
    for name in ("min", "max", "sum", "mean", "var")
}
_METHODS["std"] = with_globals(
    RollingAndExpandingMixin.std, window_aggregations=_ROOTS, zsqrt=lambda variances: variances
)


@cache
def loses_as_pandas() -> bool:
    """Tell whether sums and variances lose the same digits as in pandas' loops.

    These keep what rounding takes, which no rule but their own says how; another version, or
    another compiler, may do so otherwise.
    """
    rng = np.random.default_rng(0)
    values = np.exp(rng.normal(0, 20, 3_000)) * rng.choice([-1, 1], 3_000)
    values[::7], values[500:600] = np.nan, 0.1
    starts = np.clip(np.arange(-8, len(values) - 8), 0, None)
    ends = np.arange(1, len(values) + 1)
    for name in ("roll_sum", "roll_mean", "roll_var"):
        options = {"ddof": 1} if name == "roll_var" else {}
        theirs = getattr(aggregations, name)(values, starts, ends, 1, **options)
        ours = getattr(_LOOPS, name)(values, (-8, 1, 1), None, 1, **options)
        if not np.array_equal(ours, theirs, equal_nan=True):
            return False
    return True


def _method(name: str) -> Callable[..., Any]:
    def method(rolling: Rolling, *args: Any, **kwargs: Any) -> Any:
        windows = _windows(rolling)
        if name in ("min", "max"):
            if windows.window > _LONG:
                raise Unsupported("long windows")
        elif not loses_as_pandas():
            raise Unsupported("pandas loses other digits")
        refuse_few(len(windows.obj), "windows")
        return attempt(_METHODS[name], windows, *args, **kwargs)

    return method


WINDOWS: dict[tuple[str, type], Callable[..., Any]] = {
    (".rolling", pd.Series): _rolling,
    (".rolling", pd.DataFrame): _rolling,
    **{(f".{name}", Rolling): _method(name) for name in _METHODS},
}
"""The entries for rolling windows."""
