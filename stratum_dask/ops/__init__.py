"""What tasks run when the graph is computed."""

# Frames and direct kernels use parts of each other; this order of imports works.
import stratum_dask.ops.frames  # noqa: F401
