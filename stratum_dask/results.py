"""What became of a batch of candidates."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from stratum_dask.errors import CandidateError
from stratum_dask.explanation import Explanation
from stratum_dask.ops.outcomes import Failure


@dataclass(frozen=True)
class CandidateResult:
    """What became of one candidate.

    Attributes
    ----------
    name : hashable
    scores : dict of str to list of float
        By scorer, one per fold; NaN where it failed. A single scorer is called "score".
    seconds : float
        What it would have taken alone: all tasks that it needed, shared ones included.
    failures : list of Failure or None
        One per fold; None where there was none.
    estimators : list
        The fitted ones by fold, if they were asked for; None where it failed.
    """

    name: Hashable
    scores: dict[str, list[float]]
    seconds: float
    failures: list[Failure | None]
    estimators: list[Any] = field(default_factory=list)

    @property
    def failure(self) -> Failure | None:
        """The first failure, or None."""
        return next((one for one in self.failures if one is not None), None)


@dataclass(frozen=True)
class Results:
    """What became of a batch of candidates; made by :func:`stratum_dask.evaluate`.

    Attributes
    ----------
    candidates : tuple of CandidateResult
        In the order in which they were passed.
    scorers : tuple of str
        Names of the scorers; "score" if there is one without a name.
    n_folds : int
    seconds : float
        Wall time of the whole batch.
    explanation : Explanation
        What was merged, fused and kept apart.
    """

    candidates: tuple[CandidateResult, ...]
    scorers: tuple[str, ...]
    n_folds: int
    seconds: float
    explanation: Explanation

    @cached_property
    def frame(self) -> pd.DataFrame:
        """One row per candidate: candidate, mean, std, fold_0 ..., seconds, status, error.

        With several scorers the columns of each begin with its name: ``r2_mean``.
        """
        return pd.DataFrame([self._row(one) for one in self.candidates], columns=self._columns())

    @property
    def best(self) -> Hashable:
        """The name of the candidate with the highest mean of the first scorer.

        Raises
        ------
        CandidateError
            If all failed.
        """
        means = self.frame[self._column(self.scorers[0], "mean")]
        if means.isna().all():
            raise CandidateError(
                f"none of the {len(self.candidates)} candidates has a score; see .errors"
            )
        name: Hashable = self.candidates[int(np.nanargmax(means.to_numpy()))].name
        return name

    @property
    def errors(self) -> dict[Hashable, Failure]:
        """The first failure of each candidate that has one."""
        return {one.name: one.failure for one in self.candidates if one.failure is not None}

    @property
    def estimators(self) -> dict[Hashable, list[Any]]:
        """The fitted estimators by candidate and fold, if they were asked for."""
        return {one.name: one.estimators for one in self.candidates}

    @property
    def seconds_alone(self) -> float:
        """How long all candidates would have taken one by one."""
        return sum(one.seconds for one in self.candidates)

    def explain(self, *, schedule: bool = False, workers: int | None = None) -> Explanation:
        """Return every decision of the optimizer over this batch.

        Parameters
        ----------
        schedule : bool
            Also simulate how the batch was expected to run when it was planned, as
            :func:`stratum_dask.explain` does.
        workers : int, optional
            On how many workers, with one thread and a machine each; implies `schedule`. The default
            are those that it ran on.

        Raises
        ------
        ConfigError
            If `workers` is not positive.
        """
        if not schedule and workers is None:
            return self.explanation
        return self.explanation.scheduled(workers)

    def plot(self, ax: Any = None) -> Any:
        """Draw the scores of the first scorer, best candidate on top; needs matplotlib.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional

        Returns
        -------
        matplotlib.axes.Axes
        """
        try:
            from matplotlib import pyplot
        except ImportError as error:
            raise ImportError(
                "plot() needs matplotlib; install it with: pip install matplotlib"
            ) from error
        if ax is None:
            _, ax = pyplot.subplots(figsize=(6, 1 + 0.25 * len(self.candidates)))
        column = self._column(self.scorers[0], "mean")
        rows = self.frame.sort_values(column, na_position="first")
        folds = [self._column(self.scorers[0], f"fold_{i}") for i in range(self.n_folds)]
        for place, (_, row) in enumerate(rows.iterrows()):
            ax.plot(row[folds], [place] * len(folds), "o", color="0.7", markersize=4)
        ax.plot(rows[column], range(len(rows)), "D", color="C0")
        ax.set_yticks(range(len(rows)), rows["candidate"].astype(str))
        ax.set_xlabel(self.scorers[0])
        return ax

    def to_json(self) -> str:
        """Return all results but the estimators as JSON; what is not finite becomes null."""
        return json.dumps(
            {
                "seconds": self.seconds,
                "candidates": [
                    {
                        "candidate": str(one.name),
                        "scores": {
                            name: [value if math.isfinite(value) else None for value in values]
                            for name, values in one.scores.items()
                        },
                        "seconds": one.seconds,
                        "error": None if one.failure is None else _described(one.failure),
                    }
                    for one in self.candidates
                ],
            },
            allow_nan=False,
        )

    def _column(self, scorer: str, column: str) -> str:
        return column if self.scorers == (scorer,) else f"{scorer}_{column}"

    def _columns(self) -> list[str]:
        each = ("mean", "std", *(f"fold_{i}" for i in range(self.n_folds)))
        scores = [self._column(scorer, column) for scorer in self.scorers for column in each]
        return ["candidate", *scores, "seconds", "status", "error"]

    def _row(self, one: CandidateResult) -> Sequence[Any]:
        row: list[Any] = [one.name]
        for scorer in self.scorers:
            values = one.scores[scorer]
            with np.errstate(invalid="ignore"):  # infinite scores have no spread
                row += [np.mean(values), np.std(values), *values]
        failure = one.failure
        status = "ok" if failure is None else "failed"
        return [*row, one.seconds, status, "" if failure is None else str(failure)]

    def __repr__(self) -> str:
        return (
            f"{len(self.candidates)} candidates x {self.n_folds} folds in {self.seconds:.1f} s "
            f"({self.seconds_alone:.1f} s one by one), {len(self.errors)} failed\n{self.frame}"
        )

    def _repr_html_(self) -> str:
        failed = "".join(
            f"<tr><td>{escape(str(name))}</td><td>{escape(str(failure))}</td>"
            f"<td><code>{escape(failure.line)}</code></td></tr>"
            for name, failure in self.errors.items()
        )
        errors = f"<details><summary>failed</summary><table>{failed}</table></details>"
        return (
            f"<p>{len(self.candidates)} candidates x {self.n_folds} folds in {self.seconds:.1f} s,"
            f" {self.seconds_alone:.1f} s one by one</p>{self.frame.to_html(index=False)}"
            f"{errors if failed else ''}"
            f"<details><summary>explanation</summary>{self.explanation._repr_html_()}</details>"
        )


def _described(failure: Failure) -> dict[str, Any]:
    names = ("error", "message", "line", "task", "seconds", "traceback")
    return {name: getattr(failure, name) for name in names}
