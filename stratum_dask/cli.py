"""The command line: ``stratum-dask``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

import stratum_dask
from stratum_dask.errors import StratumError


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; default those of the process.

    Returns
    -------
    int
        0; or 1 after a message that says what went wrong.

    Examples
    --------
    >>> main(["demo", "--quick", "--rows", "1000"])  # doctest: +SKIP
    0
    """
    arguments = _parser().parse_args(argv)
    # Results go to the standard output; what is for the eye only must not disturb JSON there.
    console = Console(stderr=arguments.json)
    try:
        _demo(arguments, console)
    except (StratumError, OSError) as error:
        console.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stratum-dask", description=(stratum_dask.__doc__ or "").partition("\n")[0]
    )
    parser.add_argument(
        "--version", action="version", version=f"%(prog)s {stratum_dask.__version__}"
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    demo = commands.add_parser(
        "demo",
        help="run a batch of candidates over real flight data, plain and optimized",
        description="Runs a batch of candidates over all flights of 2013 from New York, with "
        "plain Dask and optimized; checks that all scores are identical; says what was saved, "
        "and draws the optimized graph.",
    )
    demo.add_argument("--rows", type=_positive, metavar="N", help="read only the first N flights")
    demo.add_argument("--quick", action="store_true", help="try a few models only")
    demo.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        default=Path("demo-output"),
        help="folder for the picture and the report (default: %(default)s)",
    )
    demo.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser


def _demo(arguments: argparse.Namespace, console: Console) -> None:
    # Imported here: pandas, scikit-learn and Dask take seconds, and --help needs none of them.
    from stratum_dask.demo.candidates import build
    from stratum_dask.demo.data import flight_tables
    from stratum_dask.demo.picture import draw
    from stratum_dask.demo.report import as_json, as_table
    from stratum_dask.demo.run import compare, plan, warm_up

    output: Path = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    data = flight_tables()
    warm_up(build(data, rows=1_000, quick=True).values())
    candidates = build(data, arguments.rows, quick=arguments.quick)
    explanation, graph = plan(candidates)
    found = compare(candidates, console)
    report = json.dumps(as_json(found, explanation), indent=2)
    (output / "graph.svg").write_text(draw(graph), encoding="utf-8")
    (output / "report.json").write_text(report + "\n", encoding="utf-8")
    if arguments.json:
        print(report)
        return
    rows = "336,776" if arguments.rows is None else f"the first {arguments.rows:,}"
    console.print(as_table(found, explanation, rows))
    console.print(f"The optimized graph is drawn in {escape(str(output / 'graph.svg'))}.")


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not at least 1")
    return value
