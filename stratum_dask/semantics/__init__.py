"""Which callables we understand, and what we know of each."""

from stratum_dask.semantics.declared import (
    declare_impure,
    declare_pure,
    declared,
)
from stratum_dask.semantics.estimators import (
    asks_to_write,
    may_draw,
    uses_randomness,
    writes_inputs,
)
from stratum_dask.semantics.names import (
    consumed_once,
    is_pure,
    name_of,
    of_library,
    reads_clock,
)
from stratum_dask.semantics.table import (
    CLOCKS,
    DRAWING,
    FITTING,
    GENERATORS,
    LOGGING,
    MUTATING_METHODS,
    OPAQUE,
    OWN_FITS,
    OWN_USES,
    PURE_METHODS,
    READERS,
    SEEDED,
    TRANSFORMING,
    TWO_MEANINGS,
    VIEWS,
)

__all__ = [
    "CLOCKS",
    "DRAWING",
    "FITTING",
    "GENERATORS",
    "LOGGING",
    "MUTATING_METHODS",
    "OPAQUE",
    "OWN_FITS",
    "OWN_USES",
    "PURE_METHODS",
    "READERS",
    "SEEDED",
    "TRANSFORMING",
    "TWO_MEANINGS",
    "VIEWS",
    "asks_to_write",
    "consumed_once",
    "declare_impure",
    "declare_pure",
    "declared",
    "is_pure",
    "may_draw",
    "name_of",
    "of_library",
    "reads_clock",
    "uses_randomness",
    "writes_inputs",
]
