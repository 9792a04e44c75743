"""A cluster of Slurm jobs: python slurm.py, on a login node, with jobqueue.yaml in place."""

from __future__ import annotations

from dask_jobqueue import SLURMCluster
from distributed import Client
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

import stratum_dask as sd


def main() -> None:
    """Start jobs as they are needed, and search."""
    with SLURMCluster() as cluster, Client(cluster) as client:
        client.register_plugin(sd.scheduler.StratumPlugin())
        cluster.adapt(minimum_jobs=1, maximum_jobs=10)
        X, y = load_diabetes(return_X_y=True, as_frame=True)
        results = sd.evaluate({"ridge": (Ridge(), {"alpha": [0.1, 1.0, 10.0]})}, X, y)
        print(results.frame)


if __name__ == "__main__":
    main()
