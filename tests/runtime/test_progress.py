"""What the bar counts: candidates, and the time that sharing saves."""

from __future__ import annotations

import pytest

from stratum_dask.ops.outcomes import NoValue, Outcome, Spent, failure_of
from stratum_dask.runtime.progress import Progress


def outcome(**seconds):
    return Outcome(None, None, {task: Spent(took, 0) for task, took in seconds.items()})


def test_work_that_several_share_is_counted_once():
    bar = Progress({"one": ["a1", "a2"], "two": ["b1"]}, show=False)
    bar("a1", outcome(load=5.0, fit1=1.0))
    bar("inner", outcome(load=5.0))
    assert (bar.done, bar.seconds, bar.alone) == (0, 6.0, 6.0)
    bar("a2", outcome(load=5.0, fit2=2.0))
    bar("b1", outcome(load=5.0, fit1=1.0, score=0.5))
    assert (bar.done, bar.failed) == (2, 0)
    assert bar.seconds == pytest.approx(8.5)
    assert bar.alone == pytest.approx(19.5)


def test_a_candidate_fails_once_whatever_the_number_of_its_folds():
    bar = Progress({"one": ["a1", "a2"], "two": ["b1"]}, show=False)
    failed = NoValue(None, failure_of(ValueError("bad"), "fit"), {})
    bar("a1", failed)
    bar("a2", failed)
    assert (bar.done, bar.failed) == (1, 1)
