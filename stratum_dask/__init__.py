"""Batches of pandas and scikit-learn candidates on Dask: merged, fused, native, exact.

>>> import dask, stratum_dask as sd
>>> a, b = sd.optimize([dask.delayed(abs)(-1), dask.delayed(abs)(-1)])
>>> dask.compute(a, b)
(1, 1)
"""

from importlib import import_module
from typing import Any

from stratum_dask import errors, model_selection
from stratum_dask.api import delayed_optimize, explain, optimize
from stratum_dask.config import load_defaults
from stratum_dask.evaluation import evaluate
from stratum_dask.explanation import Explanation
from stratum_dask.ops.frames import with_column
from stratum_dask.results import Results
from stratum_dask.runtime.counting import counters
from stratum_dask.semantics import declare_impure as impure
from stratum_dask.semantics import declare_pure as pure

__version__ = "0.1.0"
__all__ = [
    "Explanation",
    "Results",
    "counters",
    "delayed_optimize",
    "errors",
    "evaluate",
    "explain",
    "impure",
    "model_selection",
    "optimize",
    "pure",
    "scheduler",
    "with_column",
]

load_defaults()


def __getattr__(name: str) -> Any:
    """Import the scheduler's side when it is asked for: distributed takes long to import."""
    if name == "scheduler":
        return import_module("stratum_dask.scheduler")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
