"""Results share nothing with inputs or each other that a later write could show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_dask.ops.frames import SUPPORTED, FusedFrame
from stratum_dask.ops.steps import Step
from tests.ops.examples import chains, inputs
from tests.ops.generate import chains as random_chains
from tests.ops.oracle import assert_same, copies, in_pandas, observe


def overwrite(value: Any) -> None:
    """Write into a value by every way that pandas has to do so in place."""
    if isinstance(value, pd.DataFrame):
        for i in range(value.shape[1]):
            for row in range(min(len(value), 2)):
                value.iloc[row, i] = _other(value.iloc[row, i], value.dtypes.iloc[i])
    elif isinstance(value, pd.Series):
        for row in range(min(len(value), 2)):
            value.iloc[row] = _other(value.iloc[row], value.dtype)
        value.name = "overwritten"
    elif isinstance(value, np.ndarray) and value.flags.writeable:
        value[...] = ~value if value.dtype == bool else 77


def _other(value: Any, dtype: Any) -> Any:
    if not isinstance(dtype, np.dtype) or dtype.kind not in "iufb":
        return value
    return not value if dtype.kind == "b" else 77


def scenario(run: Callable[..., Any], given: Sequence[Any]) -> list[Any]:
    """What everything looks like after writes into results and inputs, in turns."""
    values = copies(given)
    first, second = run(*values), run(*values)
    overwrite(first)
    seen = copies([first, second, *values])
    for value in values:
        overwrite(value)
    return [*seen, first, second, *values]


def compare(steps: list[Step], given: Sequence[Any]) -> None:
    fused = FusedFrame(tuple(steps), len(given))
    expected = observe(lambda: scenario(lambda *values: in_pandas(steps, values), given))
    actual = observe(lambda: scenario(fused, given))
    if expected.error is not None:
        assert type(actual.error) is type(expected.error)
        return
    assert actual.error is None
    for one, other in zip(actual.value, expected.value, strict=True):
        assert_same(one, other, blocks=False)


@pytest.mark.parametrize("op", sorted(SUPPORTED))
def test_writes_after_a_call(op):
    for steps in chains(op):
        compare(steps, inputs())


@pytest.mark.parametrize("op", sorted(SUPPORTED))
def test_renamed_indexes(op):
    """The indexes of a result can be renamed without a trace, even where pandas shares them."""
    for steps in chains(op):
        values, fused = inputs(), FusedFrame(tuple(steps), len(inputs()))
        first, second = fused(*values), fused(*values)
        before = copies([second, *values])
        if isinstance(first, (pd.Series, pd.DataFrame)):
            for index in first.axes:
                index.name = "renamed"
        for one, other in zip([second, *values], before, strict=True):
            assert_same(one, other, blocks=False)


@pytest.mark.parametrize("op", sorted(SUPPORTED))
def test_readonly_inputs(op):
    """Memory that nobody may write to, as arrays from other processes have it."""
    for steps in chains(op):
        actual = FusedFrame(tuple(steps), len(inputs()))(*frozen())
        assert_same(actual, in_pandas(steps, frozen()))


def frozen() -> list[Any]:
    values = inputs()
    for value in values:
        for array in [value] if isinstance(value, np.ndarray) else _arrays(value):
            array.flags.writeable = False
    return values


def _arrays(value: Any) -> list[np.ndarray]:
    blocks = (block.values for block in value._mgr.blocks)
    return [getattr(values, "_ndarray", values) for values in blocks]


@given(random_chains(max_steps=5), st.data())
def test_writes_after_a_chain(chain, data):
    steps, given = chain
    compare(steps, given)
