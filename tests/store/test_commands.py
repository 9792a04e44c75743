"""The commands that look after the store."""

from __future__ import annotations

import json
from pathlib import Path

import dask
import pytest

from stratum_dask._native import digest
from stratum_dask.cli import main
from stratum_dask.store import Store


@pytest.fixture
def place(tmp_path):
    url, key = str(tmp_path / "store"), str(tmp_path / "key")
    with dask.config.set({"stratum.store.url": url, "stratum.store.key": key}):
        store = Store(url, 10**9, key)
        for number in range(4):
            store.put(digest(b"%d" % number), [number] * 1000 * number, 10.0**number)
        yield url


def answer(capsys, *arguments, code=0):
    assert main(["store", *arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_ls(place, capsys):
    found = answer(capsys, "ls")
    assert [one["seconds"] for one in found] == [1000.0, 100.0, 10.0, 1.0]
    assert all(one["bytes"] > 0 and one["unused_seconds"] < 60 for one in found)
    assert main(["store", "ls", "--most", "3"]) == 0
    shown = capsys.readouterr().out
    assert "4 values" in shown and found[0]["value"] in shown and "1e+03 s" in shown
    assert found[-1]["value"] not in shown and "and 1 more" in shown


def test_verify(place, capsys):
    assert answer(capsys, "verify") == {"checked": 4, "broken": []}
    path = next(Path(place).rglob("*-*"))
    path.write_bytes(path.read_bytes()[:-1])
    found = answer(capsys, "verify", code=1)
    assert found["broken"] == [{"value": path.name[:32], "reason": "torn"}]
    assert main(["store", "verify"]) == 1
    assert "1 torn" in capsys.readouterr().out


def test_prune_and_clear(place, capsys):
    assert answer(capsys, "prune")["removed"] == 0
    assert answer(capsys, "prune", "--bytes", "8KiB")["removed"] == 2
    assert [one["seconds"] for one in answer(capsys, "ls")] == [1000.0, 100.0]
    assert main(["store", "clear"]) == 0
    assert "removed 2 entries" in capsys.readouterr().out
    assert answer(capsys, "ls") == []


def test_another_place(place, tmp_path, capsys):
    assert answer(capsys, "ls", "--url", str(tmp_path / "other")) == []
    found = answer(capsys, "verify", "--key", str(tmp_path / "another"), code=1)
    assert {one["reason"] for one in found["broken"]} == {"foreign key"}


def test_without_a_store(capsys):
    assert main(["store", "ls"]) == 1
    assert "stratum.store.url" in capsys.readouterr().out


def test_a_budget_that_is_none(place, capsys):
    with pytest.raises(SystemExit):
        main(["store", "prune", "--bytes", "many"])
    assert "--bytes: 'many' is no size; write it as in 5GiB" in capsys.readouterr().err
