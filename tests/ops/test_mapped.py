"""Values in files that processes map: the same values, and nobody sees what another writes."""

from __future__ import annotations

import pickle
import stat

import numpy as np
import pandas as pd
import pytest
from dask._task_spec import List
from scipy import sparse

from stratum_dask.graph import DataNode, Task, TaskRef
from stratum_dask.ops.mapped import Mapped, forget
from stratum_dask.runtime import mapping

VALUES = {
    "C order": np.arange(12.0).reshape(3, 4),
    "F order": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    "part": np.arange(24.0).reshape(4, 6)[::2, 1:4],
    "empty": np.zeros((0, 3)),
    "objects": np.array(["a", None, 1.5], dtype=object),
    "frame": pd.DataFrame(
        {"n": [1.0, np.nan], "i": [1, 2], "s": ["a", None], "c": pd.Categorical(["x", "y"])},
        index=pd.Index(["k", "l"], name="name"),
    ),
    "dates": pd.Series(pd.to_datetime(["2020-01-01", None])),
    "sparse": sparse.random_array((5, 4), density=0.5, rng=0, format="csr"),
    "list": [1, "two", [3.0]],
}


def mapped(value, folder):
    """Return a value as another process would get it."""
    return pickle.loads(pickle.dumps(Mapped(value, folder / "value"))).value()


@pytest.mark.parametrize("name", VALUES)
def test_values_are_the_same(name, tmp_path):
    value = VALUES[name]
    found = mapped(value, tmp_path)
    forget(str(tmp_path))
    assert type(found) is type(value)
    if isinstance(value, pd.DataFrame | pd.Series):
        (pd.testing.assert_frame_equal if value.ndim == 2 else pd.testing.assert_series_equal)(
            found, value
        )
    elif isinstance(value, list):
        assert found == value
    else:
        dense, expected = (one.toarray() if sparse.issparse(one) else one for one in (found, value))
        np.testing.assert_array_equal(dense, expected)
        assert dense.flags.f_contiguous == expected.flags.f_contiguous


@pytest.mark.parametrize("writeable", [True, False])
def test_what_may_be_written_is_the_same(tmp_path, writeable):
    value = np.arange(5.0)
    value.flags.writeable = writeable
    found = mapped(value, tmp_path)
    forget(str(tmp_path))
    assert found.flags.writeable == writeable
    assert found.ctypes.data % 64 == 0


def test_nobody_sees_what_another_writes(tmp_path):
    value = np.zeros(100_000)
    file = Mapped(value, tmp_path / "value")
    first = file.value()
    assert file.value() is first
    first[:] = 1.0
    forget(str(tmp_path))  # as another process, which has not opened it
    second = file.value()
    forget(str(tmp_path))
    assert second is not first
    assert not second.any() and not value.any() and first.all()


def test_only_its_owner_may_read_it(tmp_path):
    Mapped(np.zeros(3), tmp_path / "value")
    assert stat.S_IMODE((tmp_path / "value").stat().st_mode) == 0o600
    with mapping._folder(10) as folder:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not folder.exists()


class _Client:
    """Stands for the processes."""

    def run(self, func, folder, **how):
        func(folder).close()


def test_big_values_are_replaced_where_tasks_take_them(monkeypatch):
    monkeypatch.setattr(mapping, "_BIG", 100)
    big = np.zeros(1000)
    dsk = {
        "big": DataNode("big", big),
        "wanted": DataNode("wanted", big),
        "inside": DataNode("inside", big),
        "small": DataNode("small", 1),
        "a": Task("a", len, TaskRef("big"), key=TaskRef("small")),
        "b": Task("b", len, List(TaskRef("inside"), 1)),
    }
    with mapping.mapped(_Client(), dsk, ["wanted"]) as found:
        assert set(found) == {"wanted", "inside", "small", "a", "b"}
        assert isinstance(found["a"].args[0], Mapped)
        assert found["a"].dependencies == {"small"} and found["b"].dependencies == {"inside"}
        path = found["a"].args[0].path
        np.testing.assert_array_equal(found["a"].args[0].value(), big)
    forget(path.rpartition("/")[0])
    with pytest.raises(FileNotFoundError):
        found["a"].args[0].value()
