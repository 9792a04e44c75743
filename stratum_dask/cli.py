"""The command line: ``stratum-dask``."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

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
        0; or 1 after a message that says what went wrong, and if ``store verify`` found
        something.

    Examples
    --------
    >>> main(["demo", "--quick", "--rows", "1000"])  # doctest: +SKIP
    0
    """
    arguments = _parser().parse_args(argv)
    # Results go to the standard output; what is for the eye only must not disturb JSON there.
    console = Console(stderr=arguments.json)
    try:
        code: int = arguments.run(arguments, console)
    except (StratumError, OSError) as error:
        console.print(f"[bold red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        return 1
    return code


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
    demo.set_defaults(run=_demo)
    _add_store(commands)
    return parser


_STORE = {
    "ls": "list what is kept, what saves most time per byte first",
    "verify": "read every entry and check its seal; fails if one cannot be used",
    "prune": "remove what saves least until the rest fits, and what is there twice",
    "clear": "remove everything",
}


def _add_store(commands: Any) -> None:
    store = commands.add_parser(
        "store",
        help="look after the results that are kept across restarts",
        description="Looks after the results that batches keep where stratum.store.url says.",
    )
    actions = store.add_subparsers(dest="action", required=True, metavar="action")
    for name, text in _STORE.items():
        action = actions.add_parser(name, help=text, description=text.capitalize() + ".")
        action.add_argument("--url", help="a directory or URL instead of stratum.store.url")
        action.add_argument("--key", help="a file instead of stratum.store.key")
        action.add_argument("--json", action="store_true", help="print the result as JSON")
        action.set_defaults(run=_store)
        if name == "ls":
            action.add_argument(
                "--most", type=_positive, default=50, metavar="N", help="show N (%(default)s)"
            )
        if name == "prune":
            action.add_argument("--bytes", type=_bytes, help="what may stay, such as 5GiB")


def _store(arguments: argparse.Namespace, console: Console) -> int:
    from stratum_dask.store.commands import run

    return run(arguments, console)


def _bytes(text: str) -> int:
    from dask.utils import parse_bytes

    try:
        return int(parse_bytes(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no size; write it as in 5GiB") from None


def _demo(arguments: argparse.Namespace, console: Console) -> int:
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
        return 0
    rows = "336,776" if arguments.rows is None else f"the first {arguments.rows:,}"
    console.print(as_table(found, explanation, rows))
    console.print(f"The optimized graph is drawn in {escape(str(output / 'graph.svg'))}.")
    return 0


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is not at least 1")
    return value
