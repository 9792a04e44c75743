"""The files of the deployment guide: those that can run here run, the others hold together."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

DOCS = Path(__file__).parent.parent / "docs"
FILES = DOCS / "deployment"

CLIENT = """
import os, stratum_dask as sd
from distributed import Client
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge

X, y = load_diabetes(return_X_y=True)
with Client(os.environ["DASK_SCHEDULER_ADDRESS"]) as client:
    client.wait_for_workers(2, timeout=60)
    for _ in range(2):
        print(sd.evaluate({"a": (Ridge(), {"alpha": [0.1, 1.0]})}, X, y, progress=False).best)
"""


def run(command, **environment):
    """Run a command with this environment's programs first; return what it printed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        command,
        env={**os.environ, "PATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])


@pytest.mark.cluster
def test_two_clients_of_a_local_cluster():
    shown = run([sys.executable, str(FILES / "local.py")]).stdout
    first, second = re.findall(r"(\w+) client: (.*), [\d.]+ s", shown)
    assert (first[0], second[0]) == ("first", "second")
    assert first[1] == second[1]


@pytest.mark.cluster
def test_a_cluster_by_hand():
    ports = {"SCHEDULER_PORT": free_port(), "DASHBOARD_PORT": free_port()}
    shown = run(["bash", str(FILES / "by-hand.sh"), sys.executable, "-c", CLIENT], **ports)
    assert shown.stdout.split("\n")[:2] == ["a: alpha=0.1", "a: alpha=0.1"]
    assert "shares nothing any more" not in shown.stderr


def test_the_kubernetes_manifest():
    _, cluster = yaml.safe_load_all((FILES / "kubernetes" / "cluster.yaml").read_text())
    assert (cluster["apiVersion"], cluster["kind"]) == ("kubernetes.dask.org/v1", "DaskCluster")
    spec = cluster["spec"]
    (scheduler,) = spec["scheduler"]["spec"]["containers"]
    (worker,) = spec["worker"]["spec"]["containers"]
    assert scheduler["args"][:2] == ["dask", "scheduler"]
    assert scheduler["args"][2:] == ["--preload", "stratum_dask.scheduler"]
    assert worker["args"][:2] == ["dask", "worker"]
    assert worker["args"][worker["args"].index("--nthreads") + 1] == "1"
    images = {
        one["image"] for one in (scheduler, worker, *spec["worker"]["spec"]["initContainers"])
    }
    assert len(images) == 1  # versions must match
    ports = {port["name"] for port in scheduler["ports"]}
    assert {port["targetPort"] for port in spec["scheduler"]["service"]["ports"]} == ports
    volumes = {one["name"] for one in spec["worker"]["spec"]["volumes"]}
    assert {one["name"] for one in worker["volumeMounts"]} <= volumes


def test_settings_in_the_files_exist():
    """Every setting that they name is one of the packaged ones."""
    import stratum_dask

    known = yaml.safe_load((Path(stratum_dask.__file__).parent / "stratum.yaml").read_text())

    def exists(names):
        found = known["stratum"]
        for name in names:
            assert name in found, names
            found = found[name]

    for file in [DOCS / "deployment.md", *(one for one in FILES.rglob("*") if one.is_file())]:
        text = file.read_text()
        for name in re.findall(r"DASK_STRATUM__([A-Z_]+)", text):
            exists(name.lower().replace("-", "_").split("__"))
        for name in re.findall(r"[`\"]stratum\.((?:[a-z-]+\.)*[a-z-]+)[`\"]", text):
            exists(name.split("."))
    queue = yaml.safe_load((FILES / "jobqueue" / "jobqueue.yaml").read_text())
    assert queue["jobqueue"]["slurm"]["cores"] == queue["jobqueue"]["slurm"]["processes"]
    for section, settings in queue["stratum"].items():
        for name in settings:
            exists((section, name))
