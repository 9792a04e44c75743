"""Bytes that move between workers, and the makespan: tasks placed by us, and by Dask.

The graphs are those of other benchmarks, as they are run. Seconds and bytes of every task are
measured first, on one thread. Then both ways run on a cluster of two processes, in turns, with
bytes counted by the workers; and on 4, 16 and 64 workers they are simulated, each on a machine of
its own at 100 MB/s, which is what Dask assumes. Values that users need once per worker (a table
that all folds are cut from) must move either way.
"""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any
from unittest import mock

import dask
from dask.callbacks import Callback
from dask.sizeof import sizeof
from distributed import Client, LocalCluster
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

import stratum_dask as sd
from benchmarks import impure_names, search
from benchmarks.harness import Row, timed
from stratum_dask.demo.candidates import build
from stratum_dask.demo.data import flight_tables
from stratum_dask.forecast import Expected
from stratum_dask.graph import DataNode, Graph, Workers, lower
from stratum_dask.pipeline import run as run_pipeline
from stratum_dask.runtime import batch
from stratum_dask.runtime.compute import compute
from stratum_dask.scheduler import StratumPlugin
from stratum_dask.scheduler.client import shared_cluster

MB = 1e6


class _Measure(Callback):
    """Takes the seconds and bytes of each task."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: dict[Any, float] = {}
        self.nbytes: dict[Any, float] = {}
        self._began: dict[Any, float] = {}

    def _pretask(self, key: Any, *_: Any) -> None:
        self._began[key] = perf_counter()

    def _posttask(self, key: Any, value: Any, *_: Any) -> None:
        self.seconds[key] = perf_counter() - self._began[key]
        self.nbytes[key] = float(sizeof(value))


def measured(graph: Graph) -> Expected:
    """Run a graph on one thread and return what its tasks took."""
    with threadpool_limits(1), _Measure() as found:
        dask.get(dict(graph.tasks), list(graph.wanted))
    values = {
        key: float(sizeof(node.value))
        for key, node in graph.tasks.items()
        if isinstance(node, DataNode)
    }
    return Expected.measured(
        graph,
        [0.0 if key in values else found.seconds.get(key, 0.0) for key in graph.tasks],
        [values.get(key, found.nbytes.get(key, 0.0)) for key in graph.tasks],
    )


def demo(folder: Path) -> Graph:
    """Return the graph of the demo's 36 candidates over 100,000 flights."""
    graph, _ = lower(build(flight_tables(folder), 100_000), None)
    return run_pipeline(graph)


def impure() -> Graph:
    """Return the graph of 500 candidates that share ten variants of a table."""
    graph, _ = lower(impure_names.build(), None)
    return run_pipeline(graph)


def mixed() -> Graph:
    """Return the graph of the mixed grid over 5,000 flights."""
    X, y = search.data(5_000)
    pipeline = Pipeline([("prepare", "passthrough"), ("model", Ridge())])
    grid = [{"prepare": search.preprocessings(), **one} for one in search.models(sizes=True)]
    found: list[Graph] = []

    def caught(graph: Graph, *_: Any, **__: Any) -> Any:
        found.append(graph)
        raise InterruptedError

    with mock.patch.object(batch, "compute", caught):
        try:
            sd.evaluate({"grid": (pipeline, grid)}, X, y, cv=5, scoring="r2", progress=False)
        except InterruptedError:
            return found[0]
    raise AssertionError("nothing was computed")


@contextmanager
def _two_processes() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        client.register_plugin(StratumPlugin(retention=0))
        yield client


def _received(client: Client) -> float:
    def total(dask_worker: Any) -> float:
        return float(sum(one["total"] for one in dask_worker.transfer_incoming_log))

    return float(sum(client.run(total).values()))


def _on_cluster(client: Client, graph: Graph, expected: Expected, repeats: int) -> Row:
    """Run both ways in turns; returns medians."""
    wanted = [key for output in graph.outputs for key in output.keys]
    cluster = shared_cluster()
    workers = None if cluster is None else cluster.workers()
    if cluster is None or workers is None:
        raise AssertionError("the cluster has no workers, or no plugin")
    forecast = expected.place(workers)
    if forecast.worker is None:
        return {"case": "2 processes, measured", "placed": "by Dask"}
    placement = forecast.placement(expected.outline.keys)
    ways = {"stock": graph, "ours": replace(graph, placement=placement)}
    seconds: dict[str, list[float]] = {"stock": [], "ours": []}
    moved: dict[str, list[float]] = {"stock": [], "ours": []}
    compute(graph, wanted)  # workers import once
    for number in range(repeats):
        for name in ways if number % 2 == 0 else reversed(ways):
            before = _received(client)
            cluster.place(ways[name])
            took, _ = timed(lambda name=name: compute(ways[name], wanted))
            seconds[name].append(took)
            moved[name].append(_received(client) - before)
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    least = {name: statistics.median(values) for name, values in moved.items()}
    return {
        "case": "2 processes, measured",
        "stock s": middle["stock"],
        "ours s": middle["ours"],
        "stock MB": least["stock"] / MB,
        "ours MB": least["ours"] / MB,
        "fewer bytes": least["stock"] / max(least["ours"], 1.0),
        "stock/ours s": middle["stock"] / middle["ours"],
    }


def _simulated(expected: Expected, number: int) -> Row:
    forecast = expected.place(Workers.alike(number))
    ours, stock = forecast.schedule, forecast.stock
    return {
        "case": f"{number} workers, simulated",
        "floor s": forecast.floor,
        "stock s": stock.makespan,
        "ours s": ours.makespan,
        "stock MB": stock.moved / MB,
        "ours MB": ours.moved / MB,
        "fewer bytes": stock.moved / max(ours.moved, 1.0),
        "stock/ours s": stock.makespan / ours.makespan,
        **({"placed": "by Dask"} if forecast.worker is None else {}),
    }


def run(full: bool = False) -> list[Row]:
    """Return rows per batch: two processes measured, more workers simulated."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder, _two_processes() as client:
        batches: dict[str, Callable[[], Graph]] = {
            "demo": lambda: demo(Path(folder)),
            "500 candidates": impure,
            "mixed grid": mixed,
        }
        for name, make in batches.items():
            graph = make()
            expected = measured(graph)
            found = [_on_cluster(client, graph, expected, 9 if full else 5)]
            found += [_simulated(expected, number) for number in (2, 4, 16, 64)]
            for row in found:
                size = f"{name}, {len(expected.seconds)} tasks: "
                rows.append({**row, "case": size + row["case"]})
    return rows
