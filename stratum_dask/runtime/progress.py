"""A bar over candidates: how many are done, failed, and how much time sharing has saved."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress

from stratum_dask.graph import Key
from stratum_dask.ops.outcomes import Outcome


class Progress:
    """Counts candidates as their last tasks finish, and shows a bar if it is wanted.

    Parameters
    ----------
    candidates : mapping of name to sequence of keys
        The tasks that end each candidate.
    show : bool, optional
        By default in terminals and notebooks.

    Attributes
    ----------
    done, failed : int
        Candidates so far.
    seconds, alone : float
        What tasks took, and what they would have taken without sharing.
    """

    def __init__(
        self, candidates: Mapping[Hashable, Sequence[Key]], show: bool | None = None
    ) -> None:
        self._of = {key: name for name, keys in candidates.items() for key in keys}
        self._left = {name: len(keys) for name, keys in candidates.items()}
        self._broken: set[Hashable] = set()
        self._tasks: set[str] = set()
        self.done = 0
        self.seconds = 0.0
        self.alone = 0.0
        console = Console(stderr=True)
        shown = show if show is not None else console.is_terminal or console.is_jupyter
        columns = (
            TextColumn("candidates"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[failed]} failed, {task.fields[saved]:.1f} s saved"),
            TimeElapsedColumn(),
        )
        self._bar = RichProgress(*columns, console=console, disable=not shown)
        self._id = self._bar.add_task("", total=len(candidates), failed=0, saved=0.0)

    @property
    def failed(self) -> int:
        """Candidates of which a fold failed."""
        return len(self._broken)

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._bar.stop()

    def __call__(self, key: Key, outcome: Outcome) -> None:
        """Take note of a task that finished."""
        name = self._of.get(key)
        if name is None:
            return
        if outcome.failure is not None:
            self._broken.add(name)
        self.alone += outcome.seconds
        others = outcome.spent.keys() - self._tasks
        self.seconds += sum(outcome.spent[task].seconds for task in others)
        self._tasks |= others
        self._left[name] -= 1
        self.done += self._left[name] == 0
        saved = max(self.alone - self.seconds, 0.0)
        self._bar.update(self._id, completed=self.done, failed=self.failed, saved=saved)
