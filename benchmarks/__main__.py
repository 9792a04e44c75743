"""Run benchmarks: ``python -m benchmarks [name ...] [--full] [--output FOLDER]``."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

from benchmarks.harness import report

NAMES = (
    "many_tasks",
    "impure_names",
    "nothing_shared",
    "kernels",
    "text",
    "tables",
    "preprocessing",
    "reading",
    "search",
    "families",
    "chaos",
    "store",
    "cluster_sharing",
    "placement",
)


def main() -> None:
    """Run the benchmarks that are named, or all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(NAMES))
    parser.add_argument("--full", action="store_true", help="stock Dask at full size too (minutes)")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results"))
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(NAMES):
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; choose from {NAMES}")
    for name in arguments.names or NAMES:
        report(name, import_module(f"benchmarks.{name}").run(arguments.full), arguments.output)


if __name__ == "__main__":
    main()
