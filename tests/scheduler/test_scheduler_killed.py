"""A scheduler is killed in the middle of a batch; another one is started, or none."""

from __future__ import annotations

import dask
import numpy as np
import pytest
from distributed import Client
from sklearn.base import clone
from sklearn.tree import DecisionTreeRegressor

import stratum_dask as sd
from stratum_dask.runtime.progress import Progress
from stratum_dask.runtime.site import Site
from stratum_dask.store import access
from stratum_dask.store.behind import flush
from tests.scheduler.processes import Cluster

pytestmark = [pytest.mark.cluster, pytest.mark.filterwarnings("ignore::ResourceWarning")]

RNG = np.random.default_rng(0)
X = RNG.normal(size=(4_000, 40))  # more than what travels inside a graph
Y = X[:, 0] + RNG.normal(size=4_000)
MANY = 15


def batch():
    tree = DecisionTreeRegressor(max_features=0.5, max_depth=8)
    return {f"seed {seed}": clone(tree).set_params(random_state=seed) for seed in range(MANY)}


def scores(results):
    return results.frame.drop(columns="seconds").to_dict("list")


@pytest.fixture
def killing(monkeypatch):
    """Call a function as soon as some outcomes of a batch are there."""

    def at(number, act):
        tell, told = Progress.__call__, []

        def count(self, key, outcome):
            tell(self, key, outcome)
            told.append(key)
            if len(told) == number:
                act()

        monkeypatch.setattr(Progress, "__call__", count)
        return told

    return at


@pytest.fixture(autouse=True)
def store(tmp_path):
    settings = {
        "stratum.store.url": str(tmp_path / "store"),
        "stratum.store.key": str(tmp_path / "key"),
    }
    with dask.config.set(settings):
        yield
        access._opened.clear()


@pytest.fixture
def expected():
    with dask.config.set({"stratum.store.url": None, "scheduler": "threads"}):
        return scores(sd.evaluate(batch(), X, Y, cv=2))


def test_another_scheduler_takes_over(killing, expected):
    with Cluster() as cluster, Client(cluster.address) as client:
        client.wait_for_workers(2, timeout=60)
        told = killing(4, cluster.replace)
        found = sd.evaluate(batch(), X, Y, cv=2)
        assert scores(found) == expected
        assert sorted(told) == sorted(set(told))  # none was computed twice
        client.run(flush)
    with dask.config.set(scheduler="threads"):  # where only the store knows of it
        again = sd.evaluate(batch(), X, Y, cv=2)
    assert scores(again) == expected
    assert len(again.explanation.saved) >= 2 * MANY


def test_no_scheduler_takes_over(killing, expected):
    with Cluster() as cluster, Client(cluster.address) as client:
        client.wait_for_workers(2, timeout=60)
        client._timeout = 2.0  # seconds in which it looks for a scheduler
        killing(4, cluster.kill)
        found = sd.evaluate(batch(), X, Y, cv=2)
        frame = found.frame.set_index("candidate")
        failed = frame[frame["status"] == "failed"]
        assert len(failed)
        assert {one.error for one in found.errors.values()} == {"SchedulerLostError"}
        said = next(iter(found.errors.values())).message
        assert cluster.address in said and "stratum.store.url" in said


@pytest.fixture
def replanning(monkeypatch):
    """Call a function when a batch is planned for the second time."""

    def before(act):
        plan, planned = Site.plan, []

        def counted(self, *args, **kwargs):
            planned.append(self)
            if len(planned) == 2:
                act()
            return plan(self, *args, **kwargs)

        monkeypatch.setattr(Site, "plan", counted)
        return planned

    return before


def test_a_third_scheduler_takes_over_when_the_second_dies_while_planning(
    killing, replanning, expected
):
    with Cluster() as cluster, Client(cluster.address) as client:
        client.wait_for_workers(2, timeout=60)
        killing(4, cluster.replace)
        planned = replanning(cluster.replace)
        assert scores(sd.evaluate(batch(), X, Y, cv=2)) == expected
        assert len(planned) == 3


def test_none_takes_over_when_the_second_dies_while_planning(killing, replanning):
    with Cluster() as cluster, Client(cluster.address) as client:
        client.wait_for_workers(2, timeout=60)

        def last():
            client._timeout = 2.0  # seconds in which it looks for a scheduler
            cluster.kill()

        killing(4, cluster.replace)
        replanning(last)
        found = sd.evaluate(batch(), X, Y, cv=2)
        statuses = found.frame["status"].tolist()
        assert "failed" in statuses
        assert {one.error for one in found.errors.values()} == {"SchedulerLostError"}
        assert cluster.address in next(iter(found.errors.values())).message
