"""What becomes of futures that are done, or whose values are gone."""

from __future__ import annotations

from types import SimpleNamespace

import distributed
import pytest
from distributed.client import FutureCancelledError

from stratum_dask.ops.outcomes import Outcome
from stratum_dask.runtime.cluster import _collect


class Done:
    """A future that is done, and whose result is a value or an exception."""

    def __init__(self, key, status, value):
        self.key, self.status, self.value = key, status, value

    def result(self):
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


def collected(monkeypatch, *finished):
    """Collect (key, status, result) as they come from ``as_completed``."""
    futures = [Done(*each) for each in finished]
    completed = SimpleNamespace(batches=lambda: iter([futures]))
    monkeypatch.setattr(distributed, "as_completed", lambda *_, **__: completed)
    client = SimpleNamespace(loop=None, gather=lambda batch: [one.result() for one in batch])
    found, told = {}, []
    _collect(client, futures, found, lambda key, outcome: told.append(key))
    assert told == list(found)
    return found


def test_outcomes_and_errors_are_found(monkeypatch):
    one = Outcome(1, None, {})
    found = collected(monkeypatch, ("a", "finished", one), ("b", "error", ValueError("bad")))
    assert found["a"] is one
    assert str(found["b"].failure) == "ValueError: bad"


@pytest.mark.parametrize("status", ["cancelled", "finished", "pending"])
def test_what_was_lost_is_left_out_whatever_became_of_it_since(monkeypatch, status):
    lost = FutureCancelledError("a", "lost")
    assert collected(monkeypatch, ("a", status, lost)) == {}
