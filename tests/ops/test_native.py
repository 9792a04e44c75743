"""Every operation really has a native form: well-formed calls run without pandas."""

from __future__ import annotations

import numpy as np
import pytest

from stratum_dask.ops import counters
from stratum_dask.ops.frames import SUPPORTED, FusedFrame
from tests.ops.examples import chains, inputs
from tests.ops.oracle import check


@pytest.mark.parametrize("op", sorted(SUPPORTED))
def test_well_formed_calls_run_natively(op):
    examples = chains(op)
    assert examples, f"{op} has no example of a call that runs natively"
    for steps in examples:
        counters.reset()
        FusedFrame(tuple(steps), len(inputs()))(*inputs())
        ran = counters.snapshot()
        described = f"{steps[-1].op}{steps[-1].args}{steps[-1].kwargs}"
        assert not ran.fallbacks, f"{described} fell back: {ran.fallbacks}"
        assert ran.hits[op] >= 1, described
        check(steps, inputs())


@pytest.mark.parametrize("op", sorted(SUPPORTED))
def test_states_of_numpy(op):
    """The same calls where floating point errors raise, or never matter."""
    for state in ("raise", "ignore"):
        with np.errstate(all=state):
            for steps in chains(op):
                check(steps, inputs())
