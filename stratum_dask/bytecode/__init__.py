"""What users' functions do, from their bytecode and what their names are bound to."""

from stratum_dask.bytecode.effects import Effects, Path
from stratum_dask.bytecode.purity import effects

__all__ = ["Effects", "Path", "effects"]
