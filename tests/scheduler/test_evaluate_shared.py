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
from stratum_dask.runtime.progress import Progress
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
    scheduler, over, killed = cluster.scheduler, threading.Event(), []

    def holder():
        for ts in list(scheduler.tasks.values()):
            if ts.key.startswith("data-") and ts.nbytes > 1_000_000:
                for ws in tuple(ts.who_has or ()):
                    return ws.address
        return None

    def kill():
        while not killed and not over.wait(0.001):
            address = holder()
            if address is None or len(scheduler.tasks) <= 5:
                continue
            for worker in list(cluster.workers.values()):
                if worker.address == address:
                    cluster.sync(worker.close)
                    killed.append(address)

    with Client(cluster) as client:
        thread = threading.Thread(target=kill)
        thread.start()
        try:
            assert scores(sd.evaluate(candidates(), X, Y, cv=3)) == expected
        finally:
            over.set()
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


@pytest.mark.timeout(300)
def test_workers_are_killed_at_random():
    """All scores are those of a calm run, whoever dies meanwhile.

    Workers that replace others are forked: importing all anew can take half a minute.
    """
    rounds = [candidates(tuple(np.geomspace(low, 100, 20))) for low in (0.01, 0.02, 0.03)]
    with dask.config.set(scheduler="threads"):
        expected = [scores(sd.evaluate(many, X, Y, cv=2)) for many in rounds]
    with (
        dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}),
        LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0"
        ) as cluster,
        Client(cluster) as client,
    ):
        client.register_plugin(StratumPlugin())
        plugin = cluster.scheduler.plugins["stratum"]
        over, deaths, rng = threading.Event(), [], np.random.default_rng(1)

        def kill():
            """Kill one each time that so much was computed, however fast the machine is."""
            while len(deaths) < 3 and not over.wait(0.01):
                if plugin.counters["tasks"] < 10 + 30 * len(deaths):
                    continue
                nannies = [n for n in list(cluster.workers.values()) if isinstance(n, Nanny)]
                nanny = nannies[rng.integers(len(nannies))]
                pid = getattr(nanny, "pid", None)
                # Its nanny notices later that it is dead.
                if pid and pid not in deaths and nanny.status.name == "running":
                    os.kill(pid, 9)
                    deaths.append(pid)

        thread = threading.Thread(target=kill)
        thread.start()
        try:
            assert [scores(sd.evaluate(many, X, Y, cv=2)) for many in rounds] == expected
        finally:
            over.set()
            thread.join()
        assert len(deaths) == 3 and not plugin.off


arrived, let_go = threading.Lock(), threading.Event()


def patient(X):
    """Wait on one of the folds until it is let go."""
    if arrived.acquire(blocking=False):
        let_go.wait(60)
    return X


def test_an_interrupted_batch_stops(cluster, monkeypatch):
    """Ctrl-C cancels what the batch has submitted; what others compute and the next batch go on."""
    plugin = cluster.scheduler.plugins["stratum"]
    many = candidates(tuple(np.geomspace(0.01, 100, 30)))
    many["patient"] = make_pipeline(FunctionTransformer(patient), Ridge())
    let_go.set()
    with dask.config.set(scheduler="threads"):
        expected = scores(sd.evaluate(many, X, Y, cv=3))
    arrived.release()
    let_go.clear()

    def interrupt(*_):
        raise KeyboardInterrupt

    with Client(cluster) as client:
        mine = client.submit(sum, [1, 2], key="mine")
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(Progress, "__call__", interrupt)  # when the first outcome is there
            sd.evaluate(many, X, Y, cv=3)
        let_go.set()
        deadline = time.time() + 60
        while any(
            ts.state in ("waiting", "queued", "processing")
            for ts in list(cluster.scheduler.tasks.values())
        ):
            assert time.time() < deadline
            time.sleep(0.01)
        assert mine.result() == 3
        assert plugin.state()["candidates"]["cancelled"] > 0
        assert scores(sd.evaluate(many, X, Y, cv=3)) == expected
        assert not plugin.off
