"""500 candidates with Dask's default names over 4 steps, on threads and on a cluster.

Load, clean, 10 feature variants, 500 fits: 2,000 tasks, of which 512 differ.
"""

from __future__ import annotations

import dask
import numpy as np
import pandas as pd
from distributed import Client, LocalCluster
from threadpoolctl import threadpool_limits

import stratum_dask as sd
from benchmarks.harness import Row, compare, timed

ROWS = 20_000


def load(rows: int) -> pd.DataFrame:
    """Make a table."""
    values = np.random.default_rng(0).normal(size=(rows, 8))
    return pd.DataFrame(values, columns=list("abcdefgh"))


def clean(df: pd.DataFrame) -> pd.DataFrame:
    """Clip and rank."""
    return df.clip(-3, 3).rank(pct=True)


def features(df: pd.DataFrame, variant: int) -> pd.DataFrame:
    """Add powers and a sorted order."""
    df = df.assign(power=df["a"] ** (variant + 1), product=df["b"] * df["c"])
    return df.sort_values("power", kind="stable")


def fit(df: pd.DataFrame, alpha: float) -> float:
    """Fit a ridge by its normal equations and return its error."""
    x, y = df.drop(columns="h").to_numpy(), df["h"].to_numpy()
    w = np.linalg.solve(x.T @ x + alpha * np.eye(x.shape[1]), x.T @ y)
    return float(np.mean((x @ w - y) ** 2))


fit = sd.pure(fit)


def build(candidates: int = 500) -> list[dask.delayed.Delayed]:
    """Return the batch."""
    batch = []
    for number in range(candidates):
        table = dask.delayed(clean)(dask.delayed(load)(ROWS))
        table = dask.delayed(features)(table, number % 10)
        batch.append(dask.delayed(fit)(table, 0.1 * (1 + number)))
    return batch


def run(full: bool = False) -> list[Row]:
    """Return one row per scheduler."""
    explanation = sd.explain(build())
    rows: list[Row] = []

    def add(case: str, ours: float, stock: float) -> None:
        rows.append(
            {
                "case": case,
                "tasks": explanation.tasks_before,
                "tasks that do work": explanation.unique_tasks,
                "ours s": ours,
                "stock s": stock,
                "ratio": stock / ours,
            }
        )

    def check(ours: object, stock: object) -> None:
        if ours != stock:
            raise AssertionError("the optimized batch gives other results")

    with threadpool_limits(limits=1):
        ours, a = timed(lambda: dask.compute(*sd.optimize(build())))
        stock, b = timed(lambda: dask.compute(*build()))
        check(a, b)
        add("threads", ours, stock)
        few = 20
        seconds = compare(
            {
                "ours": lambda: [sd.optimize(one).compute() for one in build(few)],
                "stock": lambda: [one.compute() for one in build(few)],
            },
            9,
        )
        add(f"threads, {few} computes in a loop", seconds["ours"], seconds["stock"])
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        # Workers import once; that is no part of either side.
        dask.compute(*sd.optimize(build(4)), *build(2))
        client.run(np.ones, 1)
        ours, a = timed(lambda: dask.compute(*sd.optimize(build())))
        stock, b = timed(lambda: dask.compute(*build()))
        check(a, b)
        add("cluster of 2 processes", ours, stock)
    return rows
