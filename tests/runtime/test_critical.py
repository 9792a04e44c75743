"""Which tasks start first on threads: Dask's order, but for chains that the batch waits for."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import dask
import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import BaseEstimator, RegressorMixin

import stratum_dask as sd
from stratum_dask.graph import Graph, Task, TaskRef
from stratum_dask.runtime.critical import CriticalFirst, chains


class Clock:
    """Runs a graph on simulated threads, by the state that Dask's own scheduler keeps."""

    def __init__(self, graph, seconds, workers, critical=True):
        self.graph, self.seconds, self.workers = graph, seconds, workers
        self.critical = CriticalFirst(graph, seconds, workers) if critical else None

    def run(self):
        from dask.local import finish_task, start_state_from_dask
        from dask.order import order

        dsk = dict(self.graph.tasks)
        position = order(dsk).get
        users = {d for node in dsk.values() for d in node.dependencies}
        state = start_state_from_dask(dsk, keys=dsk.keys() - users, sortkey=position)
        if self.critical:
            self.critical._start_state(dsk, state)
        now, running, self.started = 0.0, [], []
        while state["ready"] or running:
            while state["ready"] and len(running) < self.workers:
                key = state["ready"].pop()
                state["running"].add(key)
                if self.critical:
                    self.critical._pretask(key, dsk, state)
                self.started.append(key)
                running.append((now + self.seconds[key], key))
            running.sort(key=lambda item: item[0])
            now, key = running.pop(0)
            state["cache"][key] = None
            finish_task(dsk, key, state, set(dsk), position)
            if self.critical:
                self.critical._posttask(key, None, dsk, state, 0)
        assert sorted(self.started) == sorted(dsk)
        return now


def graph_of(uses):
    tasks = {}
    for number, used in enumerate(uses):
        refs = [TaskRef(f"t{one}") for one in used]
        tasks[f"t{number}"] = Task(f"t{number}", max, 0, 0, *refs)
    return Graph(tasks, ())


def test_what_decides_the_end_is_not_left_for_last():
    graph = graph_of([[] for _ in range(9)])
    seconds = dict.fromkeys(graph.tasks, 1.0)
    stock = Clock(graph, seconds, 2, critical=False)
    stock.run()
    last = stock.started[-1]
    seconds[last] = 8.0
    assert Clock(graph, seconds, 2, critical=False).run() == 12.0
    assert Clock(graph, seconds, 2).run() == 8.0


def test_the_order_is_dasks_while_no_chain_is_critical():
    graph = graph_of([[], *([0] for _ in range(20)), [], *([21] for _ in range(20))])
    seconds = dict.fromkeys(graph.tasks, 1.0)
    stock, ours = Clock(graph, seconds, 2, critical=False), Clock(graph, seconds, 2)
    stock.run(), ours.run()
    assert ours.started[:30] == stock.started[:30]


def test_a_chain_counts_as_a_whole():
    graph = graph_of([[], [0], [0], [1], [2, 3]])
    seconds = {"t0": 1.0, "t1": 2.0, "t2": 5.0, "t3": 1.0, "t4": 0.5}
    assert chains(graph, seconds) == {"t4": 0.5, "t3": 1.5, "t2": 5.5, "t1": 3.5, "t0": 6.5}


uses = st.lists(st.integers(0, 10**6), max_size=3)


@given(st.lists(uses, min_size=1, max_size=25), st.data(), st.integers(1, 4))
def test_random_graphs_end_no_later_than_graham_allows(drawn, data, workers):
    graph = graph_of([sorted({u % n for u in used}) if n else [] for n, used in enumerate(drawn)])
    seconds = {key: data.draw(st.integers(0, 9)) for key in graph.tasks}
    floor = max(sum(seconds.values()) / workers, *chains(graph, seconds).values(), 0)
    assert floor - 1e-9 <= Clock(graph, seconds, workers).run() <= (2 - 1 / workers) * floor + 1e-9


def sleeper(number, seconds):
    threading.Event().wait(seconds)
    return number


def test_on_dasks_own_threads():
    graph = Graph({f"t{n}": Task(f"t{n}", sleeper, n, 0.01) for n in range(12)}, ())
    seconds = dict.fromkeys(graph.tasks, 0.01) | {"t5": 1.0}
    started = []

    class Note(dask.callbacks.Callback):
        def _pretask(self, key, *_):
            started.append(key)

    with CriticalFirst(graph, seconds, 2), Note(), ThreadPoolExecutor(2) as pool:
        found = dask.threaded.get(dict(graph.tasks), list(graph.tasks), pool=pool)
    assert list(found) == list(range(12))
    assert started[0] == "t5"


fitted = []


class Noted(RegressorMixin, BaseEstimator):
    def __init__(self, n_estimators=1):
        self.n_estimators = n_estimators

    def fit(self, X, y):
        fitted.append(self.n_estimators)
        return self

    def predict(self, X):
        return np.zeros(len(X))


def test_in_evaluate():
    fitted.clear()
    X = np.random.default_rng(0).normal(size=(200, 5))
    rounds = [*range(1, 20), 10_000, *range(20, 30)]
    with dask.config.set({"num_workers": 3, "stratum.costs.path": False}):
        found = sd.evaluate((Noted(), {"n_estimators": rounds}), X, X[:, 0], cv=2, progress=False)
    assert not found.errors
    assert sorted(fitted) == sorted(2 * rounds)
    assert fitted.index(10_000) < 20  # in Dask's order 55
