"""What optimizing costs where there is nothing to share: a share of the batch's run time."""

from __future__ import annotations

import dask
import numpy as np

import stratum_dask as sd
from benchmarks.harness import Row, compare, on


def work(seed: int, size: int) -> float:
    """Sort numbers for some milliseconds."""
    return float(np.sort(np.random.default_rng(seed).normal(size=size))[size // 2])


work = sd.pure(work)


def run(full: bool = False) -> list[Row]:
    """Return one row per size of task."""
    rows: list[Row] = []
    for size in (20_000, 200_000):
        batch = [dask.delayed(work)(seed, size) for seed in range(200)]
        seconds = compare(
            on(
                batch,
                planning=sd.optimize,
                ours=lambda one: dask.compute(*sd.optimize(one)),
                stock=lambda one: dask.compute(*one),
            ),
            5,
        )
        rows.append(
            {
                "case": f"200 tasks of {seconds['stock'] / 100 * 1e3:.1f} ms",
                "planning s": seconds["planning"],
                "ours s": seconds["ours"],
                "stock s": seconds["stock"],
                "planning share %": 100 * seconds["planning"] / seconds["stock"],
            }
        )
    return rows
