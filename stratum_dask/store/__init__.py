"""Results of batches, kept across restarts and shared by machines."""

from stratum_dask.store.files import Entry
from stratum_dask.store.store import Address, Missing, Store

__all__ = ["Address", "Entry", "Missing", "Store"]
