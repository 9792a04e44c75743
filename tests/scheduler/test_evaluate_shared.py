"""`evaluate` on a cluster whose scheduler has the plugin; workers and clients that vanish."""

from __future__ import annotations

import os
import threading
import time

import dask
import numpy as np
import pytest
import sklearn
from distributed import Client, LocalCluster, Nanny
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import stratum_dask as sd
from stratum_dask.scheduler import StratumPlugin
from stratum_dask.scheduler.client import shared_cluster

pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("ignore::ResourceWarning")]

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4_000, 40))  # more than what travels inside a graph
Y = X[:, 0] + RNG.normal(size=4_000)


def slow(X):
    for _ in range(20):
        np.sort(X, axis=0)
    return X * 2


def candidates(alphas=(0.1, 1.0, 10.0)):
    steps = [FunctionTransformer(slow), StandardScaler(), Ridge()]
    return {f"ridge {a}": make_pipeline(*steps).set_params(ridge__alpha=a) for a in alphas}


@pytest.fixture
def cluster():
    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            processes=False,
            protocol="tcp://",
            dashboard_address=":0",
        ) as cluster,
        Client(cluster) as client,
    ):
        client.register_plugin(StratumPlugin())
        shared_cluster().values().find([])
        plugin = cluster.scheduler.plugins["stratum"]
        while len(plugin.makers) < 2:
            time.sleep(0.01)
        yield cluster


def scores(results):
    return results.frame.drop(columns="seconds").to_dict("list")


def test_a_second_client_computes_nothing_again(cluster):
    with dask.config.set(scheduler="threads"):
        expected = scores(sd.evaluate(candidates(), X, Y, cv=3))
    plugin = cluster.scheduler.plugins["stratum"]
    with Client(cluster):
        assert scores(sd.evaluate(candidates(), X, Y, cv=3)) == expected
    first = plugin.counters["tasks"]
    with Client(cluster):
        assert scores(sd.evaluate(candidates(), X, Y, cv=3)) == expected
        assert plugin.counters["tasks"] - first == 9  # copies of scores
        before = len(plugin.pins.retention)
        with dask.config.set(scheduler="threads"):
            other = scores(sd.evaluate(candidates((5.0,)), X, Y, cv=3))
        assert scores(sd.evaluate(candidates((5.0,)), X, Y, cv=3)) == other
        # Only the new model is fitted, predicts and is scored: preprocessing is alive.
        assert len(plugin.pins.retention) - before <= 9
    assert plugin.state()["candidates"] == {
        "waiting": 0,
        "running": 0,
        "done": 7,
        "failed": 0,
        "cancelled": 0,
    }


def test_other_settings_are_other_values(cluster):
    plugin = cluster.scheduler.plugins["stratum"]
    with Client(cluster):
        sd.evaluate(candidates(), X, Y, cv=3)
        with sklearn.config_context(assume_finite=True):
            sd.evaluate(candidates(), X, Y, cv=3)
        assert plugin.state()["hits"] == 0


def test_failures_are_tried_again(cluster, tmp_path):
    plugin = cluster.scheduler.plugins["stratum"]
    bad = {"bad": Ridge(alpha="x"), "good": Ridge()}
    with Client(cluster):
        for _ in range(2):
            results = sd.evaluate(bad, X, Y, cv=3)
            assert list(results.frame["status"]) == ["failed", "ok"]
    assert plugin.state()["candidates"]["failed"] == 2


def test_a_worker_that_has_the_data_is_lost(cluster):
    with dask.config.set(scheduler="threads"):
        expected = scores(sd.evaluate(candidates(), X, Y, cv=3))
    with Client(cluster) as client:
        killed = []

        def kill():
            scheduler = cluster.scheduler
            while not killed:
                holders = [
                    ws.address
                    for ts in list(scheduler.tasks.values())
                    if ts.key.startswith("data-") and ts.nbytes > 1_000_000
                    for ws in ts.who_has or ()
                ]
                if holders and len(scheduler.tasks) > 5:
                    for worker in list(cluster.workers.values()):
                        if worker.address == holders[0]:
                            cluster.sync(worker.close)
                            killed.append(holders[0])
                time.sleep(0.01)

        thread = threading.Thread(target=kill)
        thread.start()
        assert scores(sd.evaluate(candidates(), X, Y, cv=3)) == expected
        thread.join()
        assert killed and client.status == "running"


def test_what_is_kept_is_lost_with_its_worker_and_its_client(cluster):
    with dask.config.set(scheduler="threads"):
        expected = scores(sd.evaluate(candidates((5.0,)), X, Y, cv=3))
    with Client(cluster):
        sd.evaluate(candidates(), X, Y, cv=3)
    # The data are gone with their client: what is kept cannot be computed again.
    with Client(cluster):
        plugin = cluster.scheduler.plugins["stratum"]
        found = plugin.answers.find

        def find_then_lose(**sent):
            answer = found(**sent)
            if answer["found"]:
                plugin.answers.find = found
                cluster.scheduler.handlers["stratum_find"] = found
                cluster.loop.add_callback(cluster.workers[0].close)
            return answer

        cluster.scheduler.handlers["stratum_find"] = find_then_lose
        assert scores(sd.evaluate(candidates((5.0,)), X, Y, cv=3)) == expected


def test_workers_are_killed_at_random():
    """All scores are those of a calm run, whoever dies meanwhile."""
    many = candidates(tuple(np.geomspace(0.01, 100, 40)))
    with dask.config.set(scheduler="threads"):
        expected = scores(sd.evaluate(many, X, Y, cv=2))
    with (
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        client.register_plugin(StratumPlugin())
        stop = threading.Event()
        deaths = []

        def kill():
            rng = np.random.default_rng(1)
            while not stop.wait(2) and len(deaths) < 3:
                nannies = [n for n in list(cluster.workers.values()) if isinstance(n, Nanny)]
                nanny = nannies[rng.integers(len(nannies))]
                pid = getattr(nanny, "pid", None)
                if pid and nanny.status.name == "running":
                    os.kill(pid, 9)
                    deaths.append(pid)

        thread = threading.Thread(target=kill)
        thread.start()
        try:
            for _ in range(2):
                assert scores(sd.evaluate(many, X, Y, cv=2)) == expected
        finally:
            stop.set()
            thread.join()
