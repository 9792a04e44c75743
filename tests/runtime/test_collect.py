"""What becomes of futures that are done, or whose values are gone."""

from __future__ import annotations

from types import SimpleNamespace

import distributed
import pytest
from distributed.client import FutureCancelledError

from stratum_dask.ops.outcomes import Outcome
from stratum_dask.runtime.cluster import _collect


def collected(monkeypatch, *finished):
    """Collect (key, status, result) as they come from ``as_completed``."""
    pairs = [(SimpleNamespace(key=key, status=status), one) for key, status, one in finished]
    monkeypatch.setattr(distributed, "as_completed", lambda *_, **__: iter(pairs))
    found, told = {}, []
    _collect(SimpleNamespace(loop=None), [], found, lambda key, outcome: told.append(key))
    assert told == list(found)
    return found


def test_outcomes_and_errors_are_found(monkeypatch):
    one = Outcome(1, None, {})
    error = (ValueError, ValueError("bad"), None)
    found = collected(monkeypatch, ("a", "finished", one), ("b", "error", error))
    assert found["a"] is one
    assert str(found["b"].failure) == "ValueError: bad"


@pytest.mark.parametrize("status", ["cancelled", "finished", "pending"])
def test_what_was_lost_is_left_out_whatever_became_of_it_since(monkeypatch, status):
    lost = FutureCancelledError("a", "lost")
    assert collected(monkeypatch, ("a", status, lost)) == {}
