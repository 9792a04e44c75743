"""Every operation really has a native form: well-formed calls run without pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from stratum_dask.ops import counters
from stratum_dask.ops.frames import SUPPORTED, FusedFrame
from stratum_dask.ops.steps import Ref
from tests.ops.examples import chains, inputs
from tests.ops.oracle import check, every_length, fallbacks, moved, step


@pytest.mark.parametrize("op", sorted(SUPPORTED))
def test_well_formed_calls_run_natively(op):
    examples = chains(op)
    assert examples, f"{op} has no example of a call that runs natively"
    for steps in examples:
        counters.reset()
        FusedFrame(tuple(steps), len(inputs()))(*inputs())
        ran = counters.snapshot()
        described = f"{steps[-1].op}{steps[-1].args}{steps[-1].kwargs}"
        assert not fallbacks(), f"{described} fell back: {ran.fallbacks}"
        assert op in {*ran.hits, *(left.operation for left in ran.fallbacks)}, described
        check(steps, inputs())


@pytest.mark.parametrize("op", sorted(SUPPORTED))
def test_arrays_at_odd_addresses(op):
    for steps in chains(op):
        counters.reset()
        check(steps, moved(inputs()))
        assert not fallbacks()


@pytest.mark.parametrize("op", sorted(SUPPORTED))
def test_states_of_numpy(op):
    """The same calls where floating point errors raise, or never matter."""
    for state in ("raise", "ignore"):
        with np.errstate(all=state):
            for steps in chains(op):
                check(steps, inputs())


def test_kernels_between_rows_take_arrays_at_odd_addresses(monkeypatch):
    every_length(monkeypatch)
    rng = np.random.default_rng(0)
    n = 3_000
    here = pd.DataFrame(
        {
            "x": rng.normal(size=n),
            "i": rng.integers(0, 9, n),
            "s": pd.array(rng.choice(["a", "b", "cc"], n), dtype="str"),
            "d": pd.Timestamp("2013-01-01") + pd.to_timedelta(rng.integers(0, 10**6, n), unit="s"),
        }
    )
    other = pd.DataFrame({"s": ["a", "cc", "b"], "y": [0.5, 1.5, 2.5]})
    frame, x = Ref(0), Ref(2)
    column = step("operator.getitem", frame, "x")
    text = step("operator.getitem", frame, "s")
    for steps in (
        [column, step("operator.gt", x, 0.0), step("operator.getitem", frame, Ref(3))],
        [column, step(".dropna", frame, subset=["x"])],
        [text, step("getattr", x, "str"), step(".replace", Ref(3), "a", "x")],
        [
            text,
            step(".groupby", frame, "s"),
            step("operator.getitem", Ref(3), "x"),
            step(".transform", Ref(4), "mean"),
        ],
        [
            step("operator.getitem", frame, "d"),
            step("getattr", x, "dt"),
            step("getattr", Ref(3), "year"),
        ],
        [step(".merge", frame, Ref(1), on="s", how="left")],
    ):
        counters.reset()
        check(steps, moved([here, other]))
        assert not fallbacks()
