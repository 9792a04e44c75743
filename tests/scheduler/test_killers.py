"""One candidate kills every worker that it runs on; the others' scores are those of a calm run."""

from __future__ import annotations

import os

import dask
import numpy as np
import pytest
from distributed import Client, LocalCluster
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import stratum_dask as sd

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 5))
Y = X[:, 0] + RNG.normal(size=300)


class Killer(RegressorMixin, BaseEstimator):
    """Ends the process that fits it, as the system does with one that takes too much memory."""

    def fit(self, X, y):
        os.kill(os.getpid(), 9)


def scores(results):
    return results.frame.set_index("candidate")[["fold_0", "fold_1"]].sort_index()


@pytest.mark.parametrize(
    ("threads", "failures", "error"),
    [(1, 3, "ProcessDied"), (2, 0, "KilledWorker")],
    ids=["one thread each, by its record", "two threads each, by running alone"],
)
def test_a_killer_takes_no_other_candidate_along(threads, failures, error):
    steps = make_pipeline(StandardScaler(), Ridge())
    space = {"ridge": (steps, {"ridge__alpha": list(np.geomspace(0.01, 100, 15))})}
    with dask.config.set(scheduler="threads"):
        expected = scores(sd.evaluate(space, X, Y, cv=2))
    settings = {
        "distributed.worker.multiprocessing-method": "forkserver",
        "distributed.scheduler.allowed-failures": failures,
        # A nanny that just starts its worker again is closed after this time.
        "distributed.deploy.lost-worker-timeout": "1h",
    }
    with (
        dask.config.set(settings),
        LocalCluster(n_workers=2, threads_per_worker=threads, dashboard_address=":0") as cluster,
        Client(cluster),
    ):
        results = sd.evaluate({**space, "killer": Killer()}, X, Y, cv=2)
    assert list(results.errors) == ["killer"]
    assert results.errors["killer"].error == error
    assert scores(results).drop("killer").equals(expected)
