"""A file system that does not answer costs a batch a bounded time, and no value."""

from __future__ import annotations

import logging
import os
import threading
import time
from typing import ClassVar

import dask
import fsspec
import pandas as pd
import pytest
from fsspec.implementations.memory import MemoryFileSystem

import stratum_dask as sd
from stratum_dask.errors import ConfigError
from stratum_dask.store import Missing, Store, access
from stratum_dask.store.behind import flush
from stratum_dask.store.speed import Speed
from stratum_dask.store.trouble import say

TOKEN = b"t" * 16


class Stuck(MemoryFileSystem):
    """Does not answer calls of some names until it is told to."""

    protocol = "stuck"
    store: ClassVar = {}  # of its own: others empty that of all file systems in memory
    pseudo_dirs: ClassVar = [""]
    calls: frozenset[str] = frozenset()
    go = threading.Event()

    def makedirs(self, *args, **kwargs):
        self.wait("makedirs")
        return super().makedirs(*args, **kwargs)

    def find(self, *args, **kwargs):
        self.wait("find")
        return super().find(*args, **kwargs)

    def cat_file(self, *args, **kwargs):
        self.wait("cat_file")
        return super().cat_file(*args, **kwargs)

    def pipe_file(self, *args, **kwargs):
        self.wait("pipe_file")
        return super().pipe_file(*args, **kwargs)

    def wait(self, name):
        if name in self.calls:
            self.go.wait(60)


@pytest.fixture(autouse=True)
def url(tmp_path, monkeypatch):
    fsspec.register_implementation("stuck", Stuck, clobber=True)
    monkeypatch.setattr(Stuck, "go", threading.Event())
    monkeypatch.setattr(Speed, "seconds", lambda *_: 1e-4)  # worth it at once
    say.cache_clear()
    url = f"stuck://{tmp_path.name}"
    settings = {
        "stratum.store.url": url,
        "stratum.store.key": str(tmp_path / "key"),
        "stratum.store.timeout": "0.6 s",
        "scheduler": "threads",
    }
    with dask.config.set(settings):
        yield url
        Stuck.go.set()
        flush()
        access._opened.clear()
        access._failed.clear()


def slowly(n):
    return sum(range(3_000_000)) * 0 + n


def load(n):
    return pd.DataFrame({"x": range(slowly(n))})


def total(frame):
    return int(frame.x.sum())


def batch():
    return [dask.delayed(total)(dask.delayed(load)(n)) for n in (20_000, 30_000)]


EXPECTED = (199_990_000, 449_985_000)


@pytest.mark.parametrize("call", ["makedirs", "find", "pipe_file", "cat_file"])
def test_a_batch_runs_without_the_store(call, monkeypatch, caplog, url):
    if call == "cat_file":  # what is read must be there
        assert dask.compute(*sd.optimize(batch())) == EXPECTED
        flush()
    monkeypatch.setattr(Stuck, "calls", frozenset({call}))
    began = time.perf_counter()
    with caplog.at_level(logging.WARNING, "stratum_dask.store"):
        for _ in range(3):
            assert dask.compute(*sd.optimize(batch())) == EXPECTED
            flush()
    assert time.perf_counter() - began < 20
    assert len(caplog.records) == 1
    assert "no answer within 0.6" in caplog.text and "stratum.store.timeout" in caplog.text


def test_it_is_used_again_when_it_answers(tmp_path, monkeypatch, caplog, url):
    store = Store(url, 10**9, str(tmp_path / "key"), 0.6)
    assert store.put(TOKEN, [1, 2], seconds=5.0)
    monkeypatch.setattr(Stuck, "calls", frozenset({"cat_file"}))
    with pytest.raises(Missing):
        store.get(TOKEN)
    store._asleep = 0.0
    with pytest.raises(Missing):
        store.get(TOKEN)
    assert "has still not answered an earlier call" in caplog.text  # no other thread gets stuck
    assert store.counts["failed: could not be read"] == 2
    Stuck.go.set()
    while store.files._stuck is not None and not store.files._stuck.done():
        time.sleep(0.01)
    store._asleep = 0.0
    assert store.get(TOKEN).value == [1, 2]


def test_errors_of_the_file_system_are_its_own(tmp_path, monkeypatch, url):
    store = Store(url, 10**9, str(tmp_path / "key"), 0.6)

    def fails(*_, **__):
        raise TimeoutError("of its own")

    monkeypatch.setattr(Stuck, "find", fails)
    with pytest.raises(TimeoutError, match="of its own"):
        store.entries()


def test_time_for_bytes_comes_on_top(tmp_path, monkeypatch, url):
    store = Store(url, 10**9, str(tmp_path / "key"), 0.6)
    big = os.urandom(2_000_000)
    assert store.put(TOKEN, [big], seconds=5.0)

    def slow(self, *args, **kwargs):
        time.sleep(0.9)
        return MemoryFileSystem.cat_file(self, *args, **kwargs)

    monkeypatch.setattr(Stuck, "cat_file", slow)
    assert store.get(TOKEN).value == [big]


@pytest.mark.parametrize("wrong", ["soon", -1, 0, None, "0 s", float("nan")])
def test_a_timeout_must_be_one(wrong):
    with (
        dask.config.set({"stratum.store.timeout": wrong}),
        pytest.raises(ConfigError, match="timeout is"),
    ):
        access.configured()
