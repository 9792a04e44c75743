"""One machine: a cluster of worker processes whose results all clients share."""

from __future__ import annotations

import time

import dask
from distributed import Client, LocalCluster
from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import stratum_dask as sd

CANDIDATES = {
    "ridge": (make_pipeline(StandardScaler(), Ridge()), {"ridge__alpha": [0.1, 1.0, 10.0]}),
    "forest": (RandomForestRegressor(random_state=0), {"n_estimators": [50, 100]}),
}


def search() -> tuple[str, float]:
    """Evaluate the candidates; return the best one and how long it took."""
    X, y = load_diabetes(return_X_y=True, as_frame=True)
    began = time.perf_counter()
    results = sd.evaluate(CANDIDATES, X, y, cv=5, scoring="r2", progress=False)
    return results.best, time.perf_counter() - began


def main() -> None:
    """Run one search from two clients: the second finds what the first has computed."""
    # One thread per process: a candidate that crashes takes only its own process along.
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0")
    with cluster, dask.config.set({"stratum.retention.bytes": "1 GiB"}):
        for client in ("first", "second"):
            with Client(cluster) as connected:
                connected.register_plugin(sd.scheduler.StratumPlugin())
                best, seconds = search()
            print(f"{client} client: {best}, {seconds:.2f} s")


if __name__ == "__main__":
    main()
