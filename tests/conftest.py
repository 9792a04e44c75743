"""Shared settings and helpers of the tests."""

from __future__ import annotations

import gc
import importlib
import os
import sys
import warnings

import pytest
from hypothesis import HealthCheck, settings
from threadpoolctl import threadpool_limits

import stratum_dask  # noqa: F401  # before Dask's helpers for tests, which remember the defaults

_COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
# The same examples every time, so that a run tells of the change and not of its luck; `long` draws
# its own.
settings.register_profile("default", max_examples=60, derandomize=True, **_COMMON)
settings.register_profile("long", max_examples=5_000, **_COMMON)
settings.register_profile("million", max_examples=28_000, **_COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


# Also for processes that tests start: none reads or writes the user's own cost book.
os.environ["DASK_STRATUM__COSTS__PATH"] = "false"


@pytest.fixture(autouse=True, scope="session")
def _book(tmp_path_factory):
    """Keep what tests measure in a cost book of their own."""
    import dask

    with dask.config.set({"stratum.costs.path": tmp_path_factory.mktemp("costs") / "book.sqlite"}):
        yield


@pytest.fixture(autouse=True, scope="module")
def _no_processes_left():
    """Stop the worker processes that a module's tests have started: Dask's tests count them."""
    from stratum_dask.runtime.processes import stop_processes

    yield
    stop_processes()


@pytest.fixture(autouse=True, scope="module")
def _no_sockets_left(request):
    """Collect what a module's clusters have left open: else a later test would be blamed for it."""
    yield
    items = [one for one in request.session.items if getattr(one, "module", None) is request.module]
    marks = [mark for one in items for mark in one.iter_markers()]
    if any(mark.name == "cluster" or "ignore::ResourceWarning" in mark.args for mark in marks):
        with warnings.catch_warnings(action="ignore", category=ResourceWarning):
            gc.collect()


@pytest.fixture(autouse=True)
def _verified():
    """Check the graph after every pass in all tests."""
    import dask

    with dask.config.set({"stratum.verify": True}):
        yield


@pytest.fixture
def one_thread():
    """Fit references as plans do: the number of BLAS threads changes last bits."""
    with threadpool_limits(1):
        yield


@pytest.fixture
def user_module(tmp_path, monkeypatch):
    """Write a module of the user's and load it, or load it again."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    written = set()

    def load(name, source):
        (tmp_path / f"{name}.py").write_text(source)
        written.add(name)
        importlib.invalidate_caches()
        known = sys.modules.get(name)
        return importlib.reload(known) if known else importlib.import_module(name)

    yield load
    for name in written:
        sys.modules.pop(name, None)
