"""Fused chains of frame operations."""

from stratum_dask.ops.frames.engine import FusedFrame
from stratum_dask.ops.frames.lower_columns import with_column
from stratum_dask.ops.frames.table import SUPPORTED, fusable

__all__ = ["SUPPORTED", "FusedFrame", "fusable", "with_column"]
