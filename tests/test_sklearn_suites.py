"""scikit-learn's own tests of the classes and functions that we replace."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import sklearn
from packaging.version import Version

HERE = Path(__file__).parent
SKLEARN_1_9 = Version(sklearn.__version__) >= Version("1.9")


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("suite", "at_least"), [("test_search", 130 if SKLEARN_1_9 else 115), ("test_validation", 110)]
)
def test_scikit_learns_own_tests(suite, at_least, tmp_path):
    command = [
        *(sys.executable, "-m", "pytest", "-q", "-p", "sklearn_suite", "-p", "no:cacheprovider"),
        *("-W", "ignore", "-c", os.devnull, "--rootdir", str(tmp_path)),
        *("--pyargs", f"sklearn.model_selection.tests.{suite}"),
    ]
    ran = subprocess.run(
        command,
        cwd=tmp_path,
        # One worker: Python's filters of warnings, which these tests count, know no threads.
        env={**os.environ, "PYTHONPATH": str(HERE), "DASK_NUM_WORKERS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-8000:]
    passed = re.search(r"(\d+) passed", ran.stdout)
    assert passed is not None
    assert int(passed[1]) >= at_least
