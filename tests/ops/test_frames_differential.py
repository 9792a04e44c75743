"""Random chains of frame operations: fused and plain pandas can't be told apart."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings

from tests.ops.generate import chains
from tests.ops.oracle import check


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
@given(chains())
def test_chain_equals_pandas(chain):
    steps, inputs = chain
    check(steps, inputs)
