"""Single calls of frame operations as programs of one step, where that is faster."""

from __future__ import annotations

from typing import Any

import pandas as pd

from stratum_dask.ops.direct import Native
from stratum_dask.ops.frames.engine import FusedFrame
from stratum_dask.ops.steps import Ref, Step

#: From how many rows on a call is faster as a program, planning included. The second half is so
#: only for floats: pandas reduces integers at the memory's speed.
_LEAST = {".quantile": 1_000, ".clip": 1_000, ".median": 10_000}
_LEAST_OF_FLOATS = dict.fromkeys((".mean", ".sum", ".min", ".max", ".std", ".var"), 120_000)

ALONE: frozenset[str] = frozenset((*_LEAST, *_LEAST_OF_FLOATS))
"""The canonical names of calls that are worth a program of their own."""


class Alone(Native):
    """A function that runs as a program of one step, once the real arguments say it is faster.

    Parameters
    ----------
    op : str
        Canonical name of what the user calls, one of `ALONE`.
    func : callable
        What the user calls.

    Examples
    --------
    >>> from dask.utils import methodcaller
    >>> float(Alone(".median", methodcaller("median"))(pd.Series([3.0, 1.0, 2.0] * 5_000)))
    2.0
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the program, or the user's function where that is no slower."""
        if not args or not _pays_off(self.op, args[0]):
            return self.func(*args, **kwargs)
        step = Step(self.op, self.func, (Ref(0), *args[1:]), kwargs, self.op)
        return FusedFrame((step,), 1)(args[0])


def _pays_off(op: str, value: Any) -> bool:
    if type(value) is not pd.Series and type(value) is not pd.DataFrame:
        return False
    if len(value) >= _LEAST.get(op, len(value) + 1):
        return True
    if len(value) < _LEAST_OF_FLOATS.get(op, len(value) + 1):
        return False
    dtypes = [value.dtype] if type(value) is pd.Series else value.dtypes
    kinds = {dtype.kind for dtype in dtypes}
    return "f" in kinds and kinds.isdisjoint("biu")
