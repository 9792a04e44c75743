"""The command line's arguments and errors."""

from __future__ import annotations

import subprocess
import sys

import pytest

import stratum_dask
from stratum_dask.cli import main


@pytest.mark.parametrize(
    "arguments",
    [[], ["dance"], ["demo", "--rows", "0"], ["demo", "--rows", "x"], ["demo", "--nope"]],
)
def test_wrong_arguments_show_the_usage(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage: stratum-dask" in capsys.readouterr().err


def test_version(capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--version"])
    assert stopped.value.code == 0
    assert capsys.readouterr().out == f"stratum-dask {stratum_dask.__version__}\n"


def test_help_names_the_commands(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "demo" in capsys.readouterr().out


def test_an_output_folder_that_cannot_be_made(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["demo", "--output", str(tmp_path / "file")]) == 1
    shown = capsys.readouterr()
    assert "error" in shown.out and "file" in shown.out


def test_the_command_is_installed():
    from pathlib import Path

    command = Path(sys.executable).with_name("stratum-dask")
    done = subprocess.run([command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["stratum-dask", stratum_dask.__version__]
