"""The same batch after a restart, with and without results that were kept; each in a new process.

Candidates predict flight delays with cross-validation: preprocessings with a quantile transformer,
forests, boosting and linear models. Timed is the batch, from planning to scores; starting Python
and imports are not. The scores must be the same.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import dask
import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import ElasticNet, Ridge
from sklearn.pipeline import make_pipeline

import stratum_dask as sd
from benchmarks.harness import Row
from benchmarks.search import data, preprocessings
from stratum_dask.store.access import configured, open_store
from stratum_dask.store.behind import flush

_CODE = "import benchmarks.store, sys; benchmarks.store.work(*sys.argv[1:])"


def candidates(kind: str) -> dict[str, Any]:
    """Return the batch; `edited` has other models for the linear ones, a tenth of the cost."""
    linear = {
        "same": [Ridge(alpha=alpha) for alpha in (0.1, 1.0, 10.0)],
        "edited": [ElasticNet(alpha=alpha) for alpha in (0.1, 1.0, 10.0)],
    }[kind]
    models = [
        *linear,
        RandomForestRegressor(20, max_depth=8, max_features=0.3, random_state=0),
        HistGradientBoostingRegressor(max_iter=40, max_leaf_nodes=15, random_state=0),
    ]
    return {
        f"{i} {j}": make_pipeline(prepare, model)
        for i, prepare in enumerate(preprocessings())
        for j, model in enumerate(models)
    }


def work(kind: str, rows: str, url: str, key: str) -> None:
    """Run one batch in this process and print what it took; an empty `url` keeps nothing."""
    X, y = data(int(rows))
    # What Dask and scikit-learn import at their first use is not the batch's.
    sd.evaluate({"warm": make_pipeline(preprocessings()[0], Ridge())}, X[:200], y[:200], cv=2)
    with dask.config.set({"stratum.store.url": url or None, "stratum.store.key": key}):
        began, used = time.perf_counter(), time.process_time()
        results = sd.evaluate(candidates(kind), X, y, cv=5, scoring="r2")
        seconds, cpu = time.perf_counter() - began, time.process_time() - used
        flush()
        after = time.perf_counter() - began - seconds
        counts = dict(open_store(configured()).counts) if url else {}  # type: ignore[arg-type,union-attr]
    means = results.frame["mean"].tolist()
    print(json.dumps({"s": seconds, "cpu": cpu, "flush": after, "means": means, "counts": counts}))


def process(kind: str, rows: int, url: str, key: str) -> Any:
    """Run one batch in a new process."""
    command = [sys.executable, "-c", _CODE, kind, str(rows), url, key]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def run(full: bool = False) -> list[Row]:
    """Return one row per case: without a store, cold, after a restart, edited."""
    table = []
    for rows in (20_000, 100_000) if full else (20_000,):
        with tempfile.TemporaryDirectory() as folder:
            url, key = str(Path(folder, "store")), str(Path(folder, "key"))
            none = process("same", rows, "", key)
            cold = process("same", rows, url, key)
            again = min((process("same", rows, url, key) for _ in range(3)), key=lambda r: r["s"])
            size = sum(p.stat().st_size for p in Path(url).rglob("*") if p.is_file())
            edited_none = process("edited", rows, "", key)
            edited = process("edited", rows, url, key)
        name = f"15 candidates x 5 folds, {rows:,} flights"
        cases = [
            ("cold start", cold, none),
            ("after a restart", again, none),
            ("edited, after a restart", edited, edited_none),
        ]
        for case, ours, peer in cases:
            table.append(
                {
                    "case": f"{name}, {case}",
                    "with store s": ours["s"],
                    "without s": peer["s"],
                    "ratio": peer["s"] / ours["s"],
                    "ratio of CPU": peer["cpu"] / ours["cpu"],
                    "written after s": ours["flush"],
                    "MB": size / 1e6,
                    "equal scores": np.array_equal(ours["means"], peer["means"]),
                }
            )
    return table
