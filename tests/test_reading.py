"""Files are read once: compressed, elsewhere, in part; and what is wrong with them is told."""

from __future__ import annotations

import shutil
import traceback

import dask
import fsspec
import numpy as np
import pandas as pd
import pytest
from dask import delayed

import stratum_dask as sd
from stratum_dask.errors import InputChangedError
from stratum_dask.files import identify_url

WRITERS = {"csv": "to_csv", "parquet": "to_parquet", "feather": "to_feather"}


@pytest.fixture
def table():
    return pd.DataFrame({"a": np.arange(50) / 3, "b": np.arange(50), "s": ["x", "yé"] * 25})


@pytest.fixture(autouse=True)
def memory():
    store = fsspec.filesystem("memory")
    yield store
    store.rm("/", recursive=True)


def write(frame, place, **options):
    place = place.removeprefix("file://")  # pandas does not write there
    kind = next(kind for kind in WRITERS if kind in place)
    more = {"index": False} if kind == "csv" else {}
    getattr(frame, WRITERS[kind])(place, **more, **options)
    return getattr(pd, f"read_{kind}")


def merged(batch):
    return sorted(sd.explain(batch).merged.values())


@pytest.mark.parametrize("ending", ["", ".gz", ".bz2", ".xz", ".zip"])
@pytest.mark.parametrize("root", ["", "file://", "memory://"])
def test_compressed_files_and_urls_are_read_once(table, tmp_path, root, ending):
    place = f"{root}{'' if root == 'memory://' else tmp_path}/table.csv{ending}"
    reader = write(table, place)
    batch = [delayed(reader)(place)["a"].sum(), delayed(reader)(place)["b"].max()]
    assert 2 in merged(batch)
    assert dask.compute(*sd.optimize(batch)) == (table["a"].sum(), table["b"].max())


@pytest.mark.parametrize("kind", ["parquet", "feather"])
@pytest.mark.parametrize("root", ["", "file://", "memory://"])
def test_columns_that_are_used_are_read(table, tmp_path, root, kind, monkeypatch):
    place = f"{root}{'' if root == 'memory://' else tmp_path}/table.{kind}"
    options = {"storage_options": {}} if root else {}
    reader = write(table, place)
    asked = []
    original = reader.__globals__["read_" + kind]
    batch = [delayed(reader)(place, **options)["a"].sum(), delayed(reader)(place, **options)["b"]]
    after = sd.optimize(batch)
    reads = [
        task
        for task in after[0].__dask_graph__().values()
        if "read-columns" in str(getattr(task, "key", ""))
        or "read-columns" in repr(getattr(task, "args", ""))
    ]
    assert original is reader
    assert reads or sd.explain(batch).packed
    monkeypatch.setattr(
        "stratum_dask.ops.reading.ColumnRead._holds_all",
        lambda self, path, options: asked.append(self.columns) or True,
    )
    total, column = dask.compute(*after)
    assert asked == [("a", "b")]
    assert total == table["a"].sum()
    assert column.tolist() == table["b"].tolist()


@pytest.mark.parametrize("root", ["file://", "memory://"])
def test_missing_columns_are_the_users_error(table, tmp_path, root):
    place = f"{root}{'' if root == 'memory://' else tmp_path}/table.parquet"
    write(table, place)
    with pytest.raises(KeyError, match="gone"):
        dask.compute(*sd.optimize([delayed(pd.read_parquet)(place)["gone"]]))


def test_what_the_file_system_tells_is_the_identity(table, memory):
    reader = write(table, "memory://one.csv")
    write(table, "memory://two.csv")
    found = identify_url("memory://one.csv")
    assert identify_url("memory://one.csv") == found
    assert identify_url("memory://two.csv").content != found.content
    assert identify_url("memory://one.csv", {"use_listings_cache": False}).content != found.content
    batch = sd.optimize([delayed(reader)("memory://one.csv")["b"].sum() + i for i in range(2)])
    assert found.unchanged()
    write(table.assign(b=table["b"][::-1].to_numpy()), "memory://one.csv")  # of the same size
    assert not found.unchanged()
    with pytest.raises(InputChangedError, match=r"memory://one\.csv"):
        dask.compute(*batch)
    memory.rm("/one.csv")
    assert not found.unchanged()


def test_urls_that_cannot_be_identified_are_read_each_time(table, monkeypatch, memory):
    reader = write(table, "memory://table.csv")
    batch = [delayed(reader)("memory://table.csv")["a"].sum() for _ in range(2)]
    assert 2 in merged(batch)

    def unknown(self, path):
        raise NotImplementedError

    monkeypatch.setattr(type(memory), "modified", unknown)
    assert "does not tell when it changes" in str(sd.explain(batch))
    # fsspec's files in memory have one position, so they are no good for two threads.
    found = dask.compute(*sd.optimize(batch), scheduler="sync")
    assert found == (table["a"].sum(),) * 2
    gone = [delayed(pd.read_csv)("memory://gone.csv") for _ in range(2)]
    assert "FileNotFoundError" in str(sd.explain(gone))
    with pytest.raises(FileNotFoundError):
        dask.compute(*sd.optimize(gone))


def test_how_a_file_is_compressed_is_told_by_its_name(table, tmp_path):
    """Two copies of a file whose endings differ are not the same to pandas."""
    packed, plain = str(tmp_path / "table.csv.gz"), str(tmp_path / "table.csv")
    write(table, packed)
    shutil.copy(packed, plain)
    batch = [delayed(pd.read_csv)(path)["a"].sum() for path in (packed, plain)]
    after = sd.optimize(batch)
    assert after[0].compute() == table["a"].sum()
    with pytest.raises(UnicodeDecodeError):
        after[1].compute()


def load(path):
    return pd.read_csv(path)  # the user's line


@pytest.mark.parametrize("root", ["", "memory://"])
def test_ragged_rows_raise_from_the_users_line(tmp_path, root):
    place = f"{root}{'' if root == 'memory://' else tmp_path}/ragged.csv"
    with fsspec.open(place, "w") as file:
        file.write("a,b\n1,2\n1,2,3\n")
    with pytest.raises(pd.errors.ParserError) as expected:
        load(place)
    batch = [delayed(load)(place)["a"].sum(), delayed(load)(place)["b"].sum()]
    with pytest.raises(pd.errors.ParserError) as actual:
        dask.compute(*sd.optimize(batch))
    assert str(actual.value) == str(expected.value)
    lines = [frame.line for frame in traceback.extract_tb(actual.value.__traceback__)]
    assert "return pd.read_csv(path)  # the user's line" in lines
