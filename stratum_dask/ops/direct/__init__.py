"""Single calls with a native form of their own: whole columns in, whole columns out.

Programs (:mod:`stratum_dask.ops.frames`) fuse calls that go row by row. What needs a dictionary, a
sort, groups or another number of rows is one kernel per call instead.
"""

from stratum_dask.ops.direct.native import Native
from stratum_dask.ops.direct.table import (
    DIRECT_OPS,
    ESTIMATOR_OPS,
    call,
    has_form,
    is_accessor,
    transparent,
)

__all__ = [
    "DIRECT_OPS",
    "ESTIMATOR_OPS",
    "Native",
    "call",
    "has_form",
    "is_accessor",
    "transparent",
]
