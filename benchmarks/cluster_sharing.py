"""Clients of one cluster of two worker processes that share what any of them has computed.

A hundred candidates, each with a slow feature step of its own (60 % of its cost), a second one
(30 %) and a model (10 %). A second client runs the same batch; others run it with another model,
and with another second step. The peer of an edited batch is plain Dask that computes nothing but
what was edited, from inputs that are in memory already.
"""

from __future__ import annotations

import os
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import dask
import numpy as np
import pandas as pd
from distributed import Client, LocalCluster, wait
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

import stratum_dask as sd
from benchmarks.harness import Row
from stratum_dask.scheduler.client import shared_cluster
from stratum_dask.scheduler.retention import Kept, Retention

CANDIDATES = 100
UNIT = 40
"""Sorts per tenth of a candidate."""


def work(units: int) -> int:
    """Keep one core busy for a time that only depends on the machine."""
    numbers = np.arange(20_000, 0, -1) % 777
    return sum(int(np.sort(numbers)[0]) for _ in range(units * UNIT))


def load(rows: int) -> pd.DataFrame:
    return pd.DataFrame({"x": np.arange(rows, dtype=float)})


def first_step(frame: pd.DataFrame, i: int) -> pd.DataFrame:
    return frame.assign(a=frame.x * i + work(6))


def second_step(frame: pd.DataFrame, by: float) -> pd.DataFrame:
    return frame.assign(b=frame.a / by + work(3))


def model(frame: pd.DataFrame, penalty: float) -> float:
    return float(frame.b.mean()) * penalty + work(1)


def batch(by: float = 2.0, penalty: float = 1.0) -> list[Any]:
    frame = dask.delayed(load)(1_000)
    firsts = [dask.delayed(first_step)(frame, i) for i in range(CANDIDATES)]
    return [dask.delayed(model)(dask.delayed(second_step)(one, by), penalty) for one in firsts]


@contextmanager
def cluster(plugin: bool, fair: bool = True) -> Iterator[LocalCluster]:
    """Start two worker processes whose scheduler has the plugin, or not."""
    with (
        warnings.catch_warnings(action="ignore"),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as started,
        Client(started) as client,
    ):
        client.run(work, 1)
        if plugin:
            client.register_plugin(sd.scheduler.StratumPlugin(fair=fair))
            shared_cluster().values().find([])
            known = started.scheduler.plugins["stratum"]
            while len(known.makers) < 2:
                time.sleep(0.1)
        yield started


def seconds(run: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = run()
    return time.perf_counter() - began, result


def from_memory(client: Client, by: float, penalty: float, steps: int) -> float:
    """Time plain Dask on the last `steps` steps, with what they start from in memory."""
    inputs = [load(1_000).assign(a=0.0) for _ in range(CANDIDATES)]
    if steps == 1:
        inputs = [one.assign(b=0.0) for one in inputs]
    held = client.scatter(inputs, hash=False)
    wait(held)
    if steps == 1:
        graphs = [dask.delayed(model)(one, penalty) for one in held]
    else:
        graphs = [dask.delayed(model)(dask.delayed(second_step)(one, by), penalty) for one in held]
    return seconds(lambda: dask.compute(*graphs, optimize_graph=False))[0]


def sharing() -> list[Row]:
    rows = []
    with cluster(plugin=True) as started:
        with Client(started):
            took, scores = seconds(lambda: dask.compute(*sd.optimize(batch())))
        with Client(started):
            again, same = seconds(lambda: dask.compute(*sd.optimize(batch())))
        assert scores == same
        rows.append(
            {"case": "the same batch", "seconds": again, "peer": took, "peer / ours": took / again}
        )
        for case, by, penalty, steps in (
            ("another model (10 %)", 2.0, 3.0, 1),
            ("another second step (40 %)", 5.0, 1.0, 2),
        ):
            with Client(started) as client:
                ours, _ = seconds(lambda b=by, p=penalty: dask.compute(*sd.optimize(batch(b, p))))
                peer = from_memory(client, by, penalty, steps)
            rows.append({"case": case, "seconds": ours, "peer": peer, "ours / peer": ours / peer})
    return rows


def tiny(i: int) -> int:
    return i + 1


def brief(i: int) -> int:
    """Take longer than what is not worth keeping."""
    return i + work(1)


def overhead(tasks: int, repeats: int) -> list[Row]:
    """Compare tiny tasks with and without the plugin, one cluster after the other in turns."""
    found: dict[bool, list[float]] = {False: [], True: []}
    busy: dict[bool, list[float]] = {False: [], True: []}
    for number in range(repeats):
        for plugin in (False, True) if number % 2 == 0 else (True, False):
            with cluster(plugin):
                graphs = [dask.delayed(tiny)(number * tasks + i) for i in range(tasks)]
                began = time.process_time()
                found[plugin].append(seconds(lambda g=graphs: dask.compute(*sd.optimize(g)))[0])
                busy[plugin].append(time.process_time() - began)
    plain, shared = min(found[False]), min(found[True])
    return [
        {
            "case": f"{tasks:,} tiny tasks",
            "seconds": shared,
            "peer": plain,
            "ours / peer": shared / plain,
            "CPU, client and scheduler": min(busy[True]) / min(busy[False]),
        }
    ]


class Stopwatch:
    """Adds up the CPU time of a function's calls, less what measuring itself takes."""

    def __init__(self, func: Callable[..., Any]) -> None:
        self._func, self._spent, self._calls = func, 0.0, 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function."""
        time.thread_time()  # the first call takes longest
        began = time.thread_time()
        result = self._func(*args, **kwargs)
        self._spent += time.thread_time() - began
        self._calls += 1
        return result

    @property
    def seconds(self) -> float:
        """The time of all calls."""
        idle = Stopwatch(lambda *_, **__: None)
        for _ in range(10_000):
            idle("key", "waiting", "processing", stimulus_id="", worker="")
        return self._spent - idle._spent / idle._calls * self._calls


def hooks(tasks: int) -> list[Row]:
    """Time the plugin's hooks: tasks of which nothing is kept, and tasks that are all kept."""
    rows = []
    for case, func in (("tiny", tiny), ("that are kept", brief)):
        with cluster(plugin=True) as started:
            plugin = started.scheduler.plugins["stratum"]
            watches = {}
            for name in ("update_graph", "transition"):
                watches[name] = Stopwatch(getattr(plugin, name))
                setattr(plugin, name, watches[name])
            dask.compute(*sd.optimize([dask.delayed(func)(i) for i in range(tasks)]))
            time.sleep(2)  # until all are forgotten, and looked at
            kept = len(plugin.pins.retention)
            each = {name: watch.seconds / tasks * 1e6 for name, watch in watches.items()}
        rows.append(
            {
                "case": f"{tasks:,} tasks {case}",
                "kept": kept,
                "us per task in hooks": sum(each.values()),
                **{f"us in {name}": one for name, one in each.items()},
            }
        )
    return rows


def fairness(huge: int = 400, small: int = 10) -> list[Row]:
    """Let a small batch of one client arrive while a huge one of another runs.

    For Dask they are two generations, as if the second had come more than a minute later.
    """
    waited: dict[str, float] = {}
    whole: dict[str, float] = {}
    for name, fair in (("peer", False), ("ours", True)):
        with (
            cluster(plugin=True, fair=fair) as started,
            Client(started) as one,
            Client(started, set_as_default=False) as two,
        ):
            began = time.perf_counter()
            first = [dask.delayed(work)(1, dask_key_name=f"huge-{i}") for i in range(huge)]
            running = one.compute(first, fifo_timeout="0 s")
            wait(running, return_when="FIRST_COMPLETED")
            second = [dask.delayed(work)(1, dask_key_name=f"small-{i}") for i in range(small)]
            waited[name], _ = seconds(
                lambda c=two, g=second: wait(c.compute(g, fifo_timeout="0 s"))
            )
            wait(running)
            whole[name] = time.perf_counter() - began
    return [
        {
            "case": f"{small} tasks of a second client while {huge} run",
            "seconds": waited["ours"],
            "peer": waited["peer"],
            "peer / ours": waited["peer"] / waited["ours"],
            "all, ours / peer": whole["ours"] / whole["peer"],
        }
    ]


def bookkeeping(values: int = 100_000) -> list[Row]:
    """Time the policy alone, with a full budget."""
    policy = Retention(values // 2)
    worth = np.random.default_rng(0).random(values)
    began = time.thread_time()
    for i in range(values):
        policy.offer(Kept(i, worth[i], 1.0), 1, "w")
    took = time.thread_time() - began
    return [{"case": "keeping one value, budget full", "us per value": took / values * 1e6}]


def chaos(candidates: int, pause: float) -> list[Row]:
    """Evaluate while a worker is killed every few seconds; all scores must be the same."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2_000, 12))
    y = X[:, 0] + rng.normal(size=2_000)
    steps = make_pipeline(StandardScaler(), PolynomialFeatures(2), Ridge())
    space = (steps, {"ridge__alpha": list(np.geomspace(1e-3, 1e3, candidates))})
    with cluster(plugin=True):
        calm, before = seconds(lambda: sd.evaluate({"ridge": space}, X, y, cv=3))
    with cluster(plugin=True) as started:
        stop, killed = threading.Event(), []

        def kill() -> None:
            while not stop.wait(pause):
                pids = [p for n in list(started.workers.values()) if (p := getattr(n, "pid", None))]
                if pids:
                    os.kill(pids[len(killed) % len(pids)], 9)
                    killed.append(pids)

        thread = threading.Thread(target=kill)
        thread.start()
        took, after = seconds(lambda: sd.evaluate({"ridge": space}, X, y, cv=3))
        stop.set()
        thread.join()
    same = before.frame.drop(columns="seconds").equals(after.frame.drop(columns="seconds"))
    return [
        {
            "case": f"{candidates} candidates, a worker killed every {pause:g} s",
            "seconds": took,
            "peer": calm,
            "killed": len(killed),
            "same scores": same,
        }
    ]


def run(full: bool) -> list[Row]:
    """Run all cases; `full` repeats more and kills during more candidates."""
    return [
        *sharing(),
        *overhead(10_000 if full else 2_000, 3 if full else 2),
        *hooks(2_000),
        *fairness(),
        *bookkeeping(),
        *chaos(500, 5.0),
    ]
