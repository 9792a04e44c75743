"""A batch of candidates over real flight data, run plain and optimized: ``stratum-dask demo``."""
