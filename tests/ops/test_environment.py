"""State outside the operands that changes pandas' own results: pandas then runs the calls."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pandas.core import nanops
from pandas.core.computation import expressions

from stratum_dask.ops import counters
from stratum_dask.ops.frames import SUPPORTED, FusedFrame, environment
from stratum_dask.ops.steps import Ref
from tests.ops.examples import chains, inputs
from tests.ops.generate import (
    ARITHMETIC,
    ARITHMETIC_METHODS,
    ARITHMETIC_UFUNCS,
    COMPARISON_UFUNCS,
    COMPARISONS,
)
from tests.ops.operands import prefixed
from tests.ops.oracle import check, fallbacks, in_pandas, step

#: numexpr has neither // nor %.
EXPRESSIONS = {
    op
    for op in [
        *prefixed("operator", [*ARITHMETIC, *COMPARISONS]),
        *prefixed("", [*ARITHMETIC_METHODS, *COMPARISONS, "clip"]),
        *prefixed("numpy", [*ARITHMETIC_UFUNCS, *COMPARISON_UFUNCS, "clip"]),
    ]
    if not any(name in op for name in ("floor", "mod", "remainder"))
}
REDUCED = {".median", ".min", ".max", ".std", ".var"}
#: Their examples use such a reduction as an operand.
USES_REDUCED = {".fillna"}


def left(steps, values):
    counters.reset()
    FusedFrame(tuple(steps), len(values))(*values)
    return fallbacks()


@pytest.fixture
def numexpr(monkeypatch):
    """A numexpr that pandas uses for more than 3 elements, and that counts its calls."""
    used = []

    def evaluate(op, name, left, right):
        if left.size > expressions._MIN_ELEMENTS:
            used.append(name)
        return op(left, right)

    monkeypatch.setattr(expressions, "_evaluate", evaluate)
    monkeypatch.setattr(expressions, "_MIN_ELEMENTS", 3)
    return used


@pytest.mark.parametrize("op", sorted(SUPPORTED))
def test_numexpr_is_left_to_pandas(op, numexpr):
    for steps in chains(op):
        reasons = {(f.operation, f.reason) for f in left(steps, inputs())}
        used = {(step.op, "pandas may use numexpr") for step in steps if step.op in EXPRESSIONS}
        assert reasons == used
        ours = sorted(numexpr)
        numexpr.clear()
        in_pandas(steps, inputs())
        assert ours == sorted(numexpr)
        numexpr.clear()


def test_numexpr_counts_elements(numexpr, monkeypatch):
    """The limit is one of elements, and columns of different lengths have their own."""
    monkeypatch.setattr(expressions, "_MIN_ELEMENTS", 12)
    short = pd.DataFrame(np.ones((4, 3)), columns=list("abc")).copy()
    steps = [step("operator.mul", Ref(0), 2.0)]
    assert not left(steps, [short])
    assert left(steps, [short.assign(d=1.0)])
    assert left([step(".assign", Ref(0), d=1.0), step("operator.mul", Ref(1), 2.0)], [short])
    lengths = [pd.Series(np.ones(n)) for n in (12, 13)]
    assert not left(steps, lengths[:1])
    assert left(steps, lengths[1:])
    both = [step("operator.mul", Ref(0), 2.0), step("operator.mul", Ref(1), 2.0)]
    assert len(left(both, lengths)) == 1
    assert numexpr
    means = [step(".mean", Ref(0)), step("operator.truediv", Ref(1), 2.0)]
    assert not left(means, [short])
    monkeypatch.setattr(expressions, "_MIN_ELEMENTS", 2)
    assert left(means, [short])


def test_one_chain_serves_columns_below_and_above_the_limit(numexpr):
    fused = FusedFrame((step("operator.mul", Ref(0), 2.0),), 1)
    counters.reset()
    for length in (2, 5, 3, 4):
        fused(pd.Series(np.ones(length)))
    ran = counters.snapshot()
    assert ran.hits == {"operator.mul": 2}
    assert sum(ran.fallbacks.values()) == 2


@pytest.mark.parametrize("op", sorted(SUPPORTED))
def test_bottleneck_is_left_to_pandas(op, monkeypatch):
    monkeypatch.setattr(nanops, "_USE_BOTTLENECK", True)
    # What pandas would call is not installed, so that nothing is run here in pandas.
    for steps in chains(op):
        fused = FusedFrame(tuple(steps), len(inputs()))
        counters.reset()
        if op in REDUCED | USES_REDUCED:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(nanops, "_bn_ok_dtype", lambda dtype, name: False)
                fused(*inputs())
        else:
            fused(*inputs())
        reasons = {fallback.reason for fallback in fallbacks()}
        assert reasons <= {"pandas uses bottleneck"}
        assert bool(reasons) == (op in REDUCED) or op in USES_REDUCED


@pytest.mark.skipif(
    not environment.adds_whole_columns(), reason="NumPy before 2.3 adds all columns by buffers"
)
@pytest.mark.parametrize("dtype", ["int64", "uint8", "float32", "float64"])
@pytest.mark.parametrize("op", [".mean", ".sum", ".std", ".var", ".median"])
def test_size_of_buffers(op, dtype):
    """NumPy's sums restart at each buffer where they convert."""
    rng = np.random.default_rng(0)
    scale = 200 if dtype == "uint8" else 1e15
    column = pd.Series((rng.random(30_001) * scale).astype(dtype))
    steps = [step(op, Ref(0))]
    default = np.getbufsize()
    assert not left(steps, [column])
    try:
        np.setbufsize(1024)
        check(steps, [column])
        converts = op == ".mean" and dtype[0] in "iu"
        assert bool(left(steps, [column])) == (
            converts or (op in (".std", ".var") and dtype == "float32")
        )
    finally:
        np.setbufsize(default)


@pytest.mark.parametrize("op", sorted(SUPPORTED))
def test_size_of_buffers_matters_only_there(op):
    default = np.getbufsize()
    try:
        np.setbufsize(16)
        for steps in chains(op):
            check(steps, inputs())
    finally:
        np.setbufsize(default)
