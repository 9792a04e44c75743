"""Worker processes contain what ends a process, and what never ends."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
import time

import cloudpickle
import numpy as np
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import stratum_dask as sd
from stratum_dask.errors import ConfigError, StratumError

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def _by_value():
    module = sys.modules[__name__]
    cloudpickle.register_pickle_by_value(module)
    yield
    cloudpickle.unregister_pickle_by_value(module)


class Deadly(RegressorMixin, BaseEstimator):
    """Takes its process down when fitted, or never ends."""

    def __init__(self, how="exit"):
        self.how = how

    def fit(self, X, y):
        if self.how == "exit":
            os._exit(3)
        if self.how == "crash":
            ctypes.string_at(0)
        while self.how == "loop":
            pass
        if self.how == "sleep with the lock":
            ctypes.PyDLL(None).sleep(1_000)
        held = []
        while self.how == "memory":
            held.append(np.zeros(1 << 26))
        if self.how == "leave":
            sys.exit(1)
        if self.how == "error":
            raise ValueError("only an error")
        return self

    def predict(self, X):
        return np.zeros(len(X))


WAYS = {
    "exit": "ProcessDied",
    "crash": "ProcessDied",
    "loop": "TimeoutError",
    "sleep with the lock": "TimeoutError",
    "error": "ValueError",
    "memory": "MemoryError",
    "leave": "SystemExit",
}


def test_the_healthy_survive_the_deadly():
    X, y = load_diabetes(return_X_y=True)
    good = {a: make_pipeline(StandardScaler(), Ridge(a)) for a in (0.1, 1.0, 10.0)}
    bad = {how: Deadly(how) for how in WAYS}
    sd.evaluate(good, X, y, isolate="process")  # starts the processes
    began = time.perf_counter()
    results = sd.evaluate({**bad, **good}, X, y, cv=2, timeout=1.5)
    assert time.perf_counter() - began < 30
    assert {name: failure.error for name, failure in results.errors.items()} == WAYS
    frame = results.frame.set_index("candidate")
    with threadpool_limits(1):
        for name, estimator in good.items():
            expected = cross_val_score(estimator, X, y, cv=2)
            assert [frame.loc[name, "fold_0"], frame.loc[name, "fold_1"]] == expected.tolist()
    errors = results.errors
    assert "Segmentation fault" in errors["crash"].message
    assert "ctypes.string_at(0)" in errors["crash"].line
    assert "longer than 1.5 s" in errors["loop"].message
    assert "sleep(1_000)" in errors["sleep with the lock"].line
    assert "fit-Deadly" in errors["exit"].task
    assert "held.append" in errors["memory"].line


def test_a_candidate_that_was_ended_on_one_fold_is_not_tried_on_others():
    X, y = load_diabetes(return_X_y=True)
    sd.evaluate(Ridge(), X, y, isolate="process")
    began = time.perf_counter()
    results = sd.evaluate({"loop": Deadly("loop"), "good": Ridge()}, X, y, cv=30, timeout=2.0)
    assert time.perf_counter() - began < 30  # and not 30 folds x 2 s / 2 processes
    failures = results.candidates[0].failures
    assert {one.error for one in failures} == {"TimeoutError"}
    assert sum("not tried on this one" in one.message for one in failures) >= 20
    assert all(one.line.endswith(('while self.how == "loop":', "pass")) for one in failures)
    assert list(results.errors) == ["loop"]


class Endless(RegressorMixin, BaseEstimator):
    """Says that it has begun, and never ends."""

    def __init__(self, sign):
        self.sign = sign

    def fit(self, X, y):
        self.sign.touch()
        while True:
            pass


def interrupt_when(sign):
    while not sign.exists():
        time.sleep(0.05)
    signal.raise_signal(signal.SIGINT)


@pytest.fixture
def _can_be_interrupted():
    """Shells have what they start in the background ignore interrupts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_can_be_interrupted")
def test_what_is_interrupted_ends(tmp_path):
    """Else the next batch would wait for what nobody wants any more."""
    X, y = load_diabetes(return_X_y=True)
    sd.evaluate(Ridge(), X, y, isolate="process")  # starts the processes
    began = time.perf_counter()
    sign = tmp_path / "begun"
    interrupt = threading.Thread(target=interrupt_when, args=[sign])
    interrupt.start()
    with pytest.raises(KeyboardInterrupt):
        sd.evaluate([Endless(sign)] * 4, X, y, cv=2, isolate="process")
    interrupt.join()
    both = [Deadly("error"), Deadly("loop")]
    once = [(range(0, 400), range(400, 442))]  # loops on all processes would keep the error back
    with pytest.raises(ValueError, match="only an error"):
        sd.evaluate(both, X, y, cv=once, isolate="process", on_error="raise")
    assert not sd.evaluate(Ridge(), X, y, isolate="process").errors
    assert time.perf_counter() - began < 30


def test_how_much_memory_processes_may_have():
    import dask

    from stratum_dask.runtime.processes import memory_of_each

    assert memory_of_each(4) * 2 == pytest.approx(memory_of_each(2), rel=1e-6)
    with dask.config.set({"stratum.memory": "2 GiB"}):
        assert memory_of_each(4) == 2 << 30
    with (
        dask.config.set({"stratum.memory": "plenty"}),
        pytest.raises(ConfigError, match=r"stratum\.memory"),
    ):
        memory_of_each(4)


def test_processes_outlive_a_batch_and_a_mistake_in_the_settings():
    import dask

    from stratum_dask.runtime.processes import running

    given = Ridge(), np.ones((6, 1)), np.arange(6.0)
    sd.evaluate(*given, cv=2, isolate="process")
    before = [client.run(os.getpid) for client in running()]
    sd.evaluate(*given, cv=2, isolate="process")
    assert [client.run(os.getpid) for client in running()] == before
    with (
        dask.config.set({"stratum.memory": "plenty"}),
        pytest.raises(ConfigError, match=r"stratum\.memory"),
    ):
        sd.evaluate(*given, cv=2, isolate="process")
    time.sleep(0.5)
    assert [client.run(os.getpid) for client in running()] == before


def test_processes_that_died_before_they_were_known_can_be_stopped():
    from stratum_dask.runtime.processes import isolated_client, running, stop_processes

    client = isolated_client()
    client.cluster._update_worker_status("remove", "tcp://127.0.0.1:1")
    for nanny in client.cluster.workers.values():  # and those that die when all is stopped
        os.kill(nanny.pid, signal.SIGKILL)
    stop_processes()
    assert client not in running()
    assert isolated_client().submit(sum, [1, 2]).result() == 3


def test_processes_that_do_not_start_say_why(monkeypatch):
    """As those of a script that starts them wherever it is imported."""
    from stratum_dask.runtime import processes

    def fail(**given):
        raise RuntimeError("_Nanny failed to start.")

    monkeypatch.setattr(processes, "_Cluster", fail)
    with pytest.raises(StratumError, match="if __name__ == "):
        processes.isolated_client(workers=97)


def test_a_module_that_was_loaded_again(user_module):
    """The processes stay for the next batch, and know a module as they have loaded it."""
    source = (
        "import numpy as np\n"
        "from sklearn.dummy import DummyRegressor\n"
        "NUMBER = {}\n"
        "class Same(DummyRegressor):\n"
        "    def predict(self, X):\n"
        "        return np.full(len(X), float(NUMBER))\n"
    )
    for number in (1, 2):
        found = sd.evaluate(
            user_module("model_of_a_user", source.format(number)).Same(),
            np.ones((6, 1)),
            np.zeros(6),
            cv=2,
            scoring="neg_mean_absolute_error",
            isolate="process",
        )
        assert found.frame["mean"].tolist() == [-float(number)]


def test_a_timeout_that_is_none():
    with pytest.raises(ConfigError, match="more than 0"):
        sd.evaluate(Ridge(), np.ones((6, 2)), np.arange(6), timeout=-1)


def test_searches_in_processes():
    import dask

    X, y = load_diabetes(return_X_y=True)
    with dask.config.set({"stratum.isolate": "process"}), threadpool_limits(1):
        ours = sd.model_selection.cross_val_score(Ridge(), X, y)
        assert ours.tolist() == cross_val_score(Ridge(), X, y).tolist()
    with pytest.raises(ConfigError, match="isolate"):
        sd.evaluate(Ridge(), X, y, isolate="fork")


class Spoiling(RegressorMixin, BaseEstimator):
    """Overwrites what it is given to predict."""

    def fit(self, X, y):
        self.mean_ = float(np.mean(X))
        X[:] = 0.0
        return self

    def predict(self, X):
        found = X[:, 0] * self.mean_
        X[:] = 0.0
        return found


def test_big_data_is_the_same_for_all_whatever_one_of_them_does():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(4_000, 40)), rng.normal(size=4_000)
    before = X.copy()
    candidates = {"spoiling": Spoiling(), "ridge": Ridge(), "again": Spoiling()}
    inside = sd.evaluate(candidates, X, y, cv=3, isolate="process")
    outside = sd.evaluate(candidates, X, y, cv=3)
    assert not inside.errors and not outside.errors
    folds = [f"fold_{i}" for i in range(3)]
    np.testing.assert_array_equal(inside.frame[folds], outside.frame[folds])
    np.testing.assert_array_equal(X, before)
