"""What may import what, and what the documents say of it."""

from __future__ import annotations

import ast
import re
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import dask
import pytest

import stratum_dask as sd

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "stratum_dask"

PLANNER = {"api", "evaluation", "fingerprint", "frontends", "graph", "passes", "pipeline"}
FORBIDDEN = {
    "ops": PLANNER | {"families", "scheduler"},  # run in workers
    "families": PLANNER | {"scheduler"},
    "semantics": PLANNER | {"ops", "families", "scheduler", "bytecode"},
    "bytecode": PLANNER | {"ops", "families", "scheduler"},
    "graph": PLANNER - {"graph"} | {"families", "scheduler", "semantics"},
    "passes": {"api", "evaluation", "frontends", "pipeline", "scheduler"},
    "pipeline": {"api", "evaluation", "frontends", "scheduler"},
}


@cache
def modules():
    """Return what each of the package's modules imports when it is imported."""
    names = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        names[name] = ast.parse(path.read_text())
    return {name: set(_imported(tree)) for name, tree in names.items()}


def _imported(tree):
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                path = ROOT.joinpath(*whole.split("."))
                is_module = path.is_dir() or any(path.parent.glob(f"{path.name}.py*"))
                yield whole if is_module else node.module


def unit(name):
    return name.split(".")[1] if "." in name else ""


def test_no_circles():
    known = modules()
    needs = {name: imported & known.keys() for name, imported in known.items()}
    TopologicalSorter(needs).prepare()


@pytest.mark.parametrize("part", FORBIDDEN)
def test_directions(part):
    wrong = [
        f"{name} imports {one}"
        for name, imported in modules().items()
        if unit(name) == part
        for one in imported & modules().keys()
        if unit(one) in FORBIDDEN[part]
    ]
    assert not wrong


def test_only_the_graph_touches_private_modules_of_dask():
    for path in PACKAGE.rglob("*.py"):
        if "graph" not in path.relative_to(PACKAGE).parts:
            text = path.read_text()
            assert not re.search(r"(from|import) dask(\.\w+)*\._\w+", text), path


DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_documents_name_what_there_is(document):
    text = document.read_text()
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        assert link.startswith("https://") or (document.parent / link).exists(), link
    for setting in re.findall(r"`stratum\.([a-z-]+(?:\.[a-z-]+)*)`", text):
        if setting != "yaml":
            assert dask.config.get(f"stratum.{setting}", "absent") != "absent", setting
    for name in re.findall(r"\bsd\.(\w+)", text):
        assert hasattr(sd, name), name


def test_the_design_names_every_part():
    text = (ROOT / "docs" / "design.md").read_text()
    table = text[: text.index("Identity belongs to values")]
    parts = {path.name for path in PACKAGE.iterdir() if not path.name.startswith(("_", "py."))}
    parts = {name.removesuffix(".py") for name in parts if name.endswith(".py") or "." not in name}
    assert not {name for name in parts if not re.search(rf"`{name}(/|\.py|\.yaml)?[`/]", table)}


def test_the_readme_runs(tmp_path, monkeypatch):
    (tmp_path / "train.csv").write_text(
        "rooms,area,price\n" + "".join(f"{i % 5},{'' if i % 7 else i},{i}\n" for i in range(50))
    )
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    scope = {"__name__": "readme"}
    for block in blocks:
        exec(compile(block, "README.md", "exec"), scope)
    assert len(scope["scores"]) == 3 and scope["results"].best and not scope["results"].errors
