"""The page, the JSON and the metrics, from a scheduler in this process and in a real browser."""

from __future__ import annotations

import asyncio
import json
import time
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import dask
import pandas as pd
import pytest
from browser import TEXT, Browser, find_browser
from click.testing import CliRunner
from distributed import Client, LocalCluster, wait

import stratum_dask as sd
from stratum_dask.scheduler import StratumPlugin
from stratum_dask.scheduler.cli import stratum
from stratum_dask.scheduler.figures import prometheus
from stratum_dask.scheduler.html import details, overview
from stratum_dask.scheduler.pace import Paces
from stratum_dask.store.behind import flush
from stratum_dask.store.speed import Speed

NAME = "<script>alert(1)</script> & \"ridge\" 'a\\b'"

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::bokeh.util.warnings.BokehDeprecationWarning"),
]


def load(n):
    return pd.DataFrame({"a": range(n), "b": 1.5})


def ratio(df, by):
    return float((df.a.fillna(0) / by).sum())


def broken(df, by):
    raise ValueError("secret value 4711_0815_4711")


load, ratio, broken = map(sd.pure, (load, ratio, broken))


def batch():
    table = dask.delayed(load)(200_000)
    found = {f"ratio {by}": dask.delayed(ratio)(table, by) for by in range(1, 6)}
    return {**found, NAME: dask.delayed(ratio)(table, 7), "broken": dask.delayed(broken)(table, 1)}


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(
        n_workers=1,
        threads_per_worker=2,
        processes=False,
        protocol="tcp://",
        dashboard_address="127.0.0.1:0",
    ) as found:
        yield found


@pytest.fixture
def url(cluster):
    """Return where the dashboard is, after a batch was run."""
    with Client(cluster) as client:
        client.register_plugin(StratumPlugin())
        futures = client.compute(list(sd.optimize(batch()).values()))
        wait(futures)
        assert [future.status for future in futures].count("error") == 1
        yield cluster.dashboard_link.rpartition("/")[0]
        client.unregister_scheduler_plugin("stratum")


def fetch(url, **kwargs):
    with urlopen(Request(url, **kwargs), timeout=30) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


def test_json_and_metrics_tell_the_same(url):
    kind, body = fetch(f"{url}/stratum/json")
    found = json.loads(body)
    assert kind.startswith("application/json")
    assert found["candidates"] == {
        "waiting": 0,
        "running": 0,
        "done": 6,
        "failed": 1,
        "cancelled": 0,
    }
    assert {one["name"] for one in found["named"]} == set(batch())
    assert found["retained"][0]["nbytes"] <= found["retention"]["bytes"]
    (pace,) = found["paces"]
    assert 0 < pace["floor"] <= pace["achieved"] + 0.05
    assert found["kernels"].keys() == {"hits", "fallbacks"}
    _, text = fetch(f"{url}/stratum/metrics")
    assert 'stratum_candidates{status="done"} 6' in text
    assert f"stratum_tasks_total {found['tasks']:g}" in text
    # No values of the users', not even in messages of exceptions; nothing to post to.
    assert "4711_0815_4711" not in body + text
    for path in ("json", "metrics"):
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            with pytest.raises(HTTPError, match="405"):
                fetch(f"{url}/stratum/{path}", method=method, data=b"")
    assert json.loads(fetch(f"{url}/stratum/json?off=1&budget=0")[1]) == found


def test_what_became_of_values_in_a_store(cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(Speed, "seconds", lambda *_: 1e-6)
    monkeypatch.setattr(Speed, "observe", lambda *_: None)
    settings = {"stratum.store.url": str(tmp_path / "s"), "stratum.store.key": str(tmp_path / "k")}
    with dask.config.set(settings), Client(cluster) as client:
        client.register_plugin(StratumPlugin(retention=0))
        graphs = [dask.delayed(several)(n) for n in (1, 2)]
        for _ in range(2):
            assert dask.compute(*sd.optimize(graphs)) == ({1, -1}, {2, -2})
            flush()
        graphs = [dask.delayed(sum)(dask.delayed(numbers)(n)) for n in (1, 2)]
        for _ in range(2):
            assert dask.compute(*sd.optimize(graphs)) == (6, 12)
            flush()
        deadline = time.time() + 30
        found = {"hits": 0, "written": 0}
        while found["hits"] < 2 or found["written"] < 2:  # workers tell of them in a while
            assert time.time() < deadline
            found = client.sync(client.scheduler.stratum_state)["store"]
        assert found["refused"]["holds a set, whose order would not come back"] >= 2
        assert found["misses"]["not there"] >= 4
        url = cluster.dashboard_link.rpartition("/")[0]
        assert json.loads(fetch(f"{url}/stratum/json")[1])["store"] == found
        text = fetch(f"{url}/stratum/metrics")[1]
        assert f"stratum_store_hits_total {found['hits']:g}" in text
        reason = "holds a set, whose order would not come back"
        assert f'stratum_store_refused_total{{reason="{reason}"}}' in text
        said = CliRunner().invoke(stratum, ["status", client.scheduler.address]).output
        assert f"{found['hits']:,} values read, {found['written']:,} written" in said
        client.unregister_scheduler_plugin("stratum")


def several(n):
    return {n + 0 * sum(range(2_000_000)), -n}


def numbers(n):
    return [n + 0 * sum(range(2_000_000)), 2 * n, 3 * n]


def test_a_scheduler_without_the_plugin_says_so(cluster, url):
    with Client(cluster) as client:
        client.unregister_scheduler_plugin("stratum")
        with pytest.raises(HTTPError, match="404"):
            fetch(f"{url}/stratum/json")
        client.register_plugin(StratumPlugin())  # the routes are there already
        assert json.loads(fetch(f"{url}/stratum/json")[1])["candidates"]["done"] == 0


@pytest.mark.skipif(find_browser() is None, reason="no Chromium or Chrome is installed")
def test_the_page_in_a_browser(url, tmp_path):
    pytest.importorskip("bokeh")

    def one_more():
        dask.compute(sd.optimize({"one more": dask.delayed(ratio)(dask.delayed(load)(9), 1)}))

    async def look():
        async with Browser(tmp_path / "profile") as browser:
            await browser.open(f"{url}/stratum", f"{TEXT}.includes('7 candidates')")
            text = " ".join((await browser.evaluate(TEXT)).split())
            assert "6 done" in text
            assert "1 failed" in text
            assert NAME in text  # as text, not as a script
            assert "Plans: floor against achieved" in text
            assert "4711_0815_4711" not in text
            await asyncio.to_thread(one_more)
            await browser.until(f"{TEXT}.includes('8 candidates')")  # it updates itself
            await browser.screenshot(tmp_path / "page.png")

    asyncio.run(look())
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")


def state():
    names = [{"plan": "p", "client": "c", "name": NAME, "status": "done"} for _ in range(40)]
    return {
        "off": "",
        "candidates": {"waiting": 0, "running": 1, "done": 40, "failed": 0, "cancelled": 0},
        "named": names,
        **dict.fromkeys(("plans", "tasks", "placed", "merged", "hits", "misses"), 3),
        "seconds_saved": 5000.0,
        "retention": {
            "values": 1,
            "bytes": 10,
            "budget": 100,
            "evictions": 0,
            "refused": 0,
            "workers": {'tcp://"x"': 10},
        },
        "retained": [{"name": NAME, "nbytes": 10, "seconds": 1.0, "worker": NAME}],
        "paces": [],
        "kernels": {
            "hits": {".fillna": 3},
            "fallbacks": [{"operation": ".x", "reason": NAME, "times": 1}],
        },
        "store": {
            "hits": 2,
            "written": 1,
            "misses": {NAME: 4},
            "refused": {"holds a set": 5},
            "failures": {NAME: 1},
        },
    }


def test_all_text_is_escaped():
    html = overview(state()) + details(state())
    assert "<script>" not in html
    assert html.count("&lt;script&gt;") >= 16
    assert "and 26 more" in html
    assert "75%" in html
    off = {**state(), "off": "<b>"}
    assert "Switched off: &lt;b&gt;" in overview(off)


def test_metrics_escape_labels():
    text = prometheus(state())
    assert 'stratum_retained_bytes{worker="tcp://\\"x\\""} 10' in text
    assert r"'a\\b'" in text
    for line in text.splitlines():
        assert line.startswith(("# HELP stratum_", "# TYPE stratum_", "stratum_"))


def test_the_floor_of_a_plan():
    paces = Paces()
    for start, stop in [(0.0, 1.0), (0.0, 3.0), (3.0, 4.0)]:
        paces.add("p", start, stop, 2)
    (found,) = paces.listed()
    assert found == {"plan": "p", "tasks": 3, "work": 5.0, "floor": 3.0, "achieved": 4.0}
    for i in range(100):
        paces.add(f"p{i}", 0.0, 1.0, 0)
    assert len(paces.listed()) == 50
