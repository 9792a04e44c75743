"""A cluster over several hosts, one of which gets lost."""

from __future__ import annotations

import json
import time

import pytest
from hosts import HUB, Hosts, available

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(not available(), reason="network namespaces cannot be made here"),
]

SCHEDULER = f"tcp://{HUB}:8786"
IMPATIENT = {
    "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "8s",
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "4s",
    "DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "12s",
    "DASK_DISTRIBUTED__COMM__RETRY__COUNT": "0",
}

CLIENT = """
import json, sys, time
import dask, stratum_dask as sd
from distributed import Client
from stratum_dask.scheduler.client import shared_cluster

def busy(n):
    return sum(i % 3 for i in range(n)) * 0

def load(n):
    return list(range(n + busy(300_000)))

def scaled(values, by):
    return [one * by + busy(int(sys_seconds)) for one in values[:1]] + [one * by for one in values]

def total(values, add):
    return sum(values[1:]) + add

sys_seconds = float(sys.argv[2])
add = int(sys.argv[3])
d = dask.delayed
with Client(sys.argv[1]) as client:
    client.wait_for_workers(2, timeout=60)
    cluster = shared_cluster()
    cluster.values().find([])
    while client.sync(client.scheduler.stratum_state)["environments"].get("unknown"):
        time.sleep(0.1)
    table = d(load)(1_000)
    batch = [d(total)(d(scaled)(table, by), add) for by in range(20)]
    plan = sd.optimize(batch)
    print("planned", flush=True)
    found = dask.compute(*plan)
    state = client.sync(client.scheduler.stratum_state)
    print(json.dumps({
        "found": found,
        "machines": len(set(cluster.workers().machines)),
        "hits": state["hits"],
        "off": state["off"],
        "workers": len(client.scheduler_info()["workers"]),
    }))
"""


def client(hosts, work, add):
    return hosts.start(0, "-c", CLIENT, SCHEDULER, str(work), str(add), **IMPATIENT)


def answer(process):
    out, _ = process.communicate(timeout=150)
    assert process.returncode == 0
    return json.loads(out.splitlines()[-1])


def expected(add):
    return [499_500 * by + add for by in range(20)]


def test_hosts_share_and_one_is_lost(tmp_path):
    with Hosts(2, tmp_path) as hosts:
        preload = ("--preload", "stratum_dask.scheduler", "--no-dashboard")
        hosts.start(0, "-m", "distributed.cli.dask_scheduler", "--host", HUB, *preload, **IMPATIENT)
        for host in (1, 2):
            worker = ("--nthreads", "1", "--no-nanny", "--no-dashboard")
            hosts.start(host, "-m", "distributed.cli.dask_worker", SCHEDULER, *worker, **IMPATIENT)
        first = answer(client(hosts, 100_000, 0))
        assert first["found"] == expected(0)
        assert first["machines"] == 2 and first["workers"] == 2
        second = answer(client(hosts, 100_000, 0))
        assert second["found"] == expected(0) and second["hits"] >= 20
        slow = client(hosts, 5_000_000, 7)
        assert slow.stdout.readline() == b"planned\n"
        time.sleep(0.3)  # far less than the batch takes on any machine
        hosts.pull(1)
        third = answer(slow)
        assert third["found"] == expected(7)
        assert third["workers"] == 1 and not third["off"]
