"""From how many rows on native forms are faster than the library's own calls, as measured.

With fewer, the work around the rows outweighs them, and the library itself is called.
"""

from __future__ import annotations

from stratum_dask.ops.steps import Unsupported

LEAST: dict[str, int] = {
    "strings": 2_000,
    "rewritten strings": 50_000,
    "most frequent string": 50_000,
    "dummies of frames": 10_000,
    "dates as strings": 2_000,
    "replaced strings": 10_000,
    "chosen strings": 10_000,
    "spelled": 10_000,
    "bins at edges": 15_000,
    "bins of equal numbers": 2_000,
    "groups": 15_000,
    "products": 2_000,
    "concatenated bytes": 16 << 20,
    "windows": 5_000,
}
"""The fewest rows for each kind of call; where all columns count, the fewest bytes."""


def refuse_few(rows: int, kind: str) -> None:
    """Leave a call on fewer rows (or bytes) than its kind needs to the library.

    Raises
    ------
    Unsupported
        If there are too few.
    """
    if rows < LEAST[kind]:
        raise Unsupported("few rows")
