"""How pandas divides a CSV file into rows that it looks at together.

pandas decides on types part by part. Two things can be seen of that: whether a column is one of
strings or of several types, and which columns lie in one block. No other module knows of it.

    row after row       1,048,576 cells at a time, or somewhat less; a block for each column
    on several threads  parts of some megabytes; a block for each type, and one for each column that
                        is strings, or integers in some parts and floats in others
"""

from __future__ import annotations

import os

from pandas._libs import parsers
from pandas.io.parsers import readers


def threads() -> int:
    """Return on how many threads pandas reads a large file."""
    workers: int = readers._default_n_workers()
    return workers


def chunk_rows(columns: int) -> int:
    """Return how many rows pandas takes together that reads row after row.

    Examples
    --------
    >>> chunk_rows(19)
    32768
    """
    rows: int = parsers.DEFAULT_BUFFER_HEURISTIC // columns
    # The largest power of two that is less.
    return 1 << max(0, (rows - 1).bit_length() - 1)


def part_starts(path: str, columns: int, workers: int) -> list[int]:
    """Return where the parts of a file begin that pandas reads on several threads.

    Parameters
    ----------
    path : str
    columns : int
        How many columns the file has.
    workers : int
        The number of threads.

    Returns
    -------
    list of int
        Bytes from the beginning of the file; empty if pandas reads row after row.
    """
    if workers < 2 or not readers._can_parallelize_csv(path, {}):
        return []
    start = readers._find_data_start_offset(path, 0, 0)
    size = os.path.getsize(path) - start
    rows = size // _row_bytes(path, start, size)
    count = min(3 * workers, rows // readers._PARALLEL_MIN_CHUNK_ROWS)
    if count < 2:
        if size < 2 * readers._PARALLEL_READ_MIN_BYTES:
            return []
        count = 2
    by_size = min(
        size // readers._PARALLEL_CHUNK_BYTES,
        readers._PARALLEL_MAX_COLUMN_PIECES // columns,
        rows // readers._PARALLEL_MIN_CHUNK_ROWS,
    )
    if by_size > workers:
        by_size = -(-by_size // workers) * workers
    ends = readers._find_chunk_byte_offsets(path, max(count, by_size), start, workers)
    return ends[:-1] if len(ends) > 2 else []


def _row_bytes(path: str, start: int, size: int) -> int:
    """Return the median length of some lines."""
    lengths = []
    with open(path, "rb") as file:
        for probe in range(9):
            file.seek(start + size * probe // 9)
            file.readline(1 << 20)
            lengths.append(len(file.readline(1 << 20)))
    lengths = sorted(length for length in lengths if length)
    return lengths[len(lengths) // 2] if lengths else size
