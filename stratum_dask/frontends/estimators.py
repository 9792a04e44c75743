"""Fits of estimators as tasks; pipelines are taken apart, so that equal prefixes meet.

Pipeline(scale, Ridge(1)).fit(X, y)
Pipeline(scale, Ridge(2)).fit(X, y)

    X, y -> fit_transform(scale) -> fitted                         for predictions
                                 -> transformed -> fit(Ridge(1))
                                                -> fit(Ridge(2))

What is not known to be exactly the sum of its parts is fitted as a whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from sklearn import get_config
from sklearn.pipeline import Pipeline

from stratum_dask.frontends.builder import Builder
from stratum_dask.frontends.unions import parts_of
from stratum_dask.graph import TaskRef
from stratum_dask.ops import fitting
from stratum_dask.ops.unions import columns, unite
from stratum_dask.writers import may_write

Params = Mapping[str, Any]


class Whole(NamedTuple):
    """An estimator that one task fits.

    Attributes
    ----------
    model : TaskRef
        The fitted estimator.
    """

    model: TaskRef

    def transform(self, builder: Builder, X: Any) -> Any:
        """Add the task that transforms `X`."""
        return builder.call("transform", fitting.transform, self.model, X)

    def before_last(self, builder: Builder, X: Any) -> Any:
        """Return what the last step sees of `X`: here `X` itself."""
        return X

    @property
    def last(self) -> TaskRef:
        """The fitted estimator that predicts."""
        return self.model

    def alone(self, builder: Builder) -> TaskRef:
        """Return what predicts by itself: the estimator."""
        return self.model

    def estimator(self, builder: Builder) -> TaskRef:
        """Return the fitted estimator that the user would have got."""
        return self.model


class Chain(NamedTuple):
    """A pipeline whose steps are fitted by tasks of their own.

    Attributes
    ----------
    template : Pipeline
        Unfitted.
    steps : tuple of Whole, Chain, "passthrough" or None
        One per step.
    """

    template: Pipeline
    steps: tuple[Any, ...]

    def transform(self, builder: Builder, X: Any) -> Any:
        """Add the tasks that transform `X`, step by step."""
        for step in self.steps:
            X = _through(builder, step, X)
        return X

    def before_last(self, builder: Builder, X: Any) -> Any:
        """Add the tasks that make of `X` what the last step sees."""
        for step in self.steps[:-1]:
            X = _through(builder, step, X)
        return self.steps[-1].before_last(builder, X)

    @property
    def last(self) -> TaskRef:
        """The fitted estimator that predicts."""
        last: TaskRef = self.steps[-1].last
        return last

    def alone(self, builder: Builder) -> TaskRef:
        """Add the task that makes a pipeline of the last step alone.

        It looks at its step, fails and speaks of itself as the whole one does.
        """
        only = Pipeline([self.template.steps[-1]])
        return builder.call("alone", fitting.alone, only, self.steps[-1].alone(builder))

    def estimator(self, builder: Builder) -> TaskRef:
        """Add the task that puts the fitted pipeline together."""
        steps = [one if _passes(one) else one.estimator(builder) for one in self.steps]
        return builder.call("assemble", fitting.assemble, self.template, *steps)


Fitted = Whole | Chain


def fit(builder: Builder, estimator: Any, X: Any, y: Any, params: Params) -> Fitted:
    """Add the tasks that fit an estimator.

    Parameters
    ----------
    builder : Builder
    estimator : estimator
        Unfitted; nobody may change it any more.
    X, y : TaskRef
        `y` may be None.
    params : mapping
        Further arguments of its ``fit``: values or references.
    """
    parts = _parts(builder, estimator, params)
    if parts is None:
        kind = f"fit-{type(estimator).__name__}"
        return Whole(builder.call(kind, fitting.fit, estimator, X, y, **params))
    first, X = _fit_first(builder, parts[:-1], X, y)
    _, last, its = parts[-1]
    return Chain(estimator, (*first, fit(builder, last, X, y, its)))


def fit_transform(
    builder: Builder, transformer: Any, X: Any, y: Any, params: Params
) -> tuple[Fitted, Any]:
    """Add the tasks that fit a transformer and transform what it is fitted on.

    Parameters
    ----------
    builder, transformer, X, y, params
        As for :func:`fit`.

    Returns
    -------
    fitted : Whole or Chain
    transformed : TaskRef
    """
    parts = _parts(builder, transformer, params)
    if parts is None:
        pair = _fit_transform_whole(builder, transformer, X, y, params)
        fitted = builder.call("fitted", fitting.fitted_of, pair)
        return Whole(fitted), builder.call("transformed", fitting.transformed_of, pair)
    first, X = _fit_first(builder, parts[:-1], X, y)
    _, last, its = parts[-1]
    fitted_last, X = fit_transform(builder, last, X, y, its)
    return Chain(transformer, (*first, fitted_last)), X


def _fit_transform_whole(
    builder: Builder, transformer: Any, X: Any, y: Any, params: Params
) -> TaskRef:
    kind = f"fit_transform-{type(transformer).__name__}"
    parts = [] if params else builder.once(parts_of, transformer)
    if not parts:
        return builder.call(kind, fitting.fit_transform, transformer, X, y, **params)
    done: list[TaskRef] = []
    for _, part, chosen in parts:
        seen = X if chosen is None else builder.call("columns", columns, X, chosen)
        fitted, transformed = fit_transform(builder, part, seen, y, {})
        done += [fitted.estimator(builder), transformed]
    return builder.call(kind, unite, transformer, X, y, [place for place, *_ in parts], *done)


def _fit_first(
    builder: Builder, parts: Sequence[tuple[str, Any, Params]], X: Any, y: Any
) -> tuple[list[Any], Any]:
    fitted: list[Any] = []
    for _, step, params in parts:
        if _passes(step):
            fitted.append(step)
        else:
            one, X = fit_transform(builder, step, X, y, params)
            fitted.append(one)
    return fitted, X


def _through(builder: Builder, step: Any, X: Any) -> Any:
    return X if _passes(step) else step.transform(builder, X)


def _passes(step: Any) -> bool:
    return step is None or (isinstance(step, str) and step == "passthrough")


def _parts(
    builder: Builder, estimator: Any, params: Params
) -> list[tuple[str, Any, Params]] | None:
    """Return a pipeline's steps with their names and parameters; None to fit it as a whole."""
    return _with_params(estimator.steps, params) if builder.once(_comes_apart, estimator) else None


def _comes_apart(estimator: Any) -> bool:
    """Tell whether an estimator is a pipeline that is exactly the sum of its steps.

    Subclasses may do anything between their steps (imbalanced-learn's resample), callbacks and
    messages belong to the whole, and what is no valid pipeline shall fail in its own words.
    """
    if type(estimator) is not Pipeline or estimator.verbose or estimator.transform_input:
        return False
    steps = estimator.steps
    if not isinstance(steps, list) or not all(
        isinstance(one, tuple) and len(one) == 2 and isinstance(one[0], str) for one in steps
    ):
        return False
    names = [name for name, _ in steps]
    if len(set(names)) < len(names) or any("__" in name or name in _RESERVED for name in names):
        return False
    if not steps or _passes(steps[-1][1]) or not hasattr(steps[-1][1], "fit"):
        return False
    if not all(_passes(step) or _transforms(step) for _, step in steps[:-1]):
        return False
    if may_write(estimator):  # steps see what others before them did to X and y
        return False
    return not any(hasattr(one, "_skl_callbacks") for one in (estimator, *(s for _, s in steps)))


_RESERVED = frozenset(("steps", "memory", "verbose", "transform_input"))


def _transforms(step: Any) -> bool:
    return (hasattr(step, "fit") or hasattr(step, "fit_transform")) and hasattr(step, "transform")


def _with_params(
    steps: list[tuple[str, Any]], params: Params
) -> list[tuple[str, Any, Params]] | None:
    """Hand ``step__name`` parameters to their steps, as scikit-learn does without routing."""
    if params and get_config()["enable_metadata_routing"]:
        return None
    each: dict[str, dict[str, Any]] = {name: {} for name, _ in steps}
    for name, value in params.items():
        step, found, parameter = name.partition("__")
        if not found or step not in each:
            return None
        each[step][parameter] = value
    return [(name, step, each[name]) for name, step in steps]
