"""Fused chains of frame operations."""

from stratum_dask.ops.frames.alone import ALONE, Alone
from stratum_dask.ops.frames.engine import FusedFrame
from stratum_dask.ops.frames.lower_columns import with_column
from stratum_dask.ops.frames.table import FUSABLE, SUPPORTED, fusable

__all__ = ["ALONE", "FUSABLE", "SUPPORTED", "Alone", "FusedFrame", "fusable", "with_column"]
