"""Reading CSV natively: what :func:`pandas.read_csv` returns, with the same bits, or nothing.

Files are read here whose lines are all of one length and whose cells are spelled plainly; for all
others, and with other arguments, pandas reads, and says itself what is wrong with them.
"""

from __future__ import annotations

import inspect
import io
import os
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from packaging.version import Version
from pandas.io.common import infer_compression

from stratum_dask._native import CsvFile
from stratum_dask.ops import counters
from stratum_dask.ops.csv_parts import chunk_rows, part_starts, threads
from stratum_dask.ops.direct import Native
from stratum_dask.ops.direct.arrow import are_default, strings_of
from stratum_dask.ops.frames import blocks
from stratum_dask.ops.steps import Unsupported, attempt

#: Arguments that change nothing, besides those that are the default.
_HARMLESS: dict[str, tuple[Any, ...]] = {
    "sep": (",",),
    "engine": ("c",),
    "header": (0,),
    "encoding": ("utf-8",),
    "low_memory": (True, False),
}

#: Its predecessors round otherwise; its successors may put columns together otherwise.
_KNOWN = Version(pd.__version__).release[:2] == (3, 1)


class ReadCsv(Native):
    r""":func:`pandas.read_csv`, which reads natively what it can.

    Parameters
    ----------
    op : str
        ``"pandas.read_csv"``.
    func : callable
        What the user calls.

    Examples
    --------
    >>> ReadCsv("pandas.read_csv", pd.read_csv)(io.StringIO("a,b\n1,2.5"))
       a    b
    0  1  2.5
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Read natively, or with pandas. What is no local file was never to be read natively."""
        if not args or not _is_file(args[0]):
            return self.func(*args, **kwargs)
        try:
            value = read_csv(*args, **kwargs)
        except Unsupported as why:
            counters.fallback(self.op, (), str(why))
        else:
            counters.hit(self.op)
            return value
        # Not where the refusal is caught: what it raises shall not seem to follow from that.
        return self.func(*args, **kwargs)


def read_csv(path: str | os.PathLike[str], *args: Any, **options: Any) -> pd.DataFrame:
    """Read a local file.

    Parameters
    ----------
    path : str or path-like
    **options
        Those of :func:`pandas.read_csv`.

    Returns
    -------
    DataFrame
        What pandas would have returned: the same bits, dtypes and blocks.

    Raises
    ------
    Unsupported
        If pandas has to read it; the message says why.
    """
    if args:
        raise Unsupported("arguments without names")
    for name, value in options.items():
        if not _is_harmless(name, value):
            raise Unsupported(f"the argument {name}")
    if not _KNOWN:
        raise Unsupported("another version of pandas")
    if not are_default():
        raise Unsupported("strings stored otherwise")
    path = os.fspath(path)
    if infer_compression(path, "infer") is not None:
        raise Unsupported("compressed")
    low_memory = options.get("low_memory", True)
    workers = threads()
    try:
        file = CsvFile(path, workers)
        columns = attempt(_names, file.header)
        width, rows = len(columns), file.rows
        chunk = chunk_rows(width) if low_memory else rows
        parts = part_starts(path, width, workers) if low_memory else []
        numbers, strings = file.read(width, chunk, parts, workers)
    except (ValueError, OSError, MemoryError) as error:
        raise Unsupported(str(error)) from error
    made = [
        (alone, places, np.frombuffer(memoryview(memory), dtype).reshape(len(places), rows))
        for dtype, alone, places, memory in numbers
    ]
    made += [(True, [place], strings_of(chunks)) for place, chunks in strings]
    made.sort(key=lambda one: one[:2])
    return blocks.make_frame(
        [blocks.new_block(values, places) for _, places, values in made],
        columns,
        pd.RangeIndex(rows),
    )


def _is_file(path: Any) -> bool:
    return isinstance(path, str | os.PathLike) and os.path.isfile(path)


def _is_harmless(name: str, value: Any) -> bool:
    if value is _defaults().get(name, name):
        return True
    return any(type(value) is type(other) and value == other for other in _HARMLESS.get(name, ()))


@cache
def _defaults() -> dict[str, Any]:
    return {name: p.default for name, p in inspect.signature(pd.read_csv).parameters.items()}


def _names(header: bytes) -> pd.Index:
    """Return what pandas calls the columns of a file with this first line."""
    if not header.strip() or header.count(b'"') % 2:
        raise Unsupported("a first line without names")
    names = header.decode().split(",")
    if header.isascii() and b'"' not in header and all(names) and len(names) == len(set(names)):
        return pd.Index(names)  # as below, which takes milliseconds
    return pd.read_csv(io.BytesIO(header + b"\n"), nrows=0).columns
