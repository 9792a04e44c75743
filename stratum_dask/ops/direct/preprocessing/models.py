"""Pipelines that end in a model: what comes before it runs natively, the model runs itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sklearn.pipeline import Pipeline

from stratum_dask.ops.direct.preprocessing import matrix, trees
from stratum_dask.ops.direct.preprocessing.cells import Block
from stratum_dask.ops.fitting import fit_method
from stratum_dask.ops.steps import Unsupported


def ends_in_model(pipeline: Pipeline) -> bool:
    """Tell whether the last step of a pipeline has no native form."""
    return type(pipeline.steps[-1][1]) not in trees.SUPPORTED


def split(pipeline: Pipeline) -> tuple[Pipeline, Any]:
    """Return the steps before the model as a pipeline of the same objects, and the model.

    Raises
    ------
    Unsupported
        If there are none, or scikit-learn does more than call one step after the other.
    """
    names = [name for name, _ in pipeline.steps]
    model = pipeline.steps[-1][1]
    if pipeline.memory is not None or pipeline.verbose or pipeline.transform_input:
        raise Unsupported("parameters")
    if len(names) < 2 or len(set(names)) < len(names) or "__" in names[-1]:
        raise Unsupported("steps")
    if not hasattr(model, "fit") or isinstance(model, type):
        raise Unsupported("no model")
    if getattr(pipeline, "_skl_callbacks", None) or getattr(model, "_skl_callbacks", None):
        raise Unsupported("callbacks")
    return pipeline[:-1], model


def fit(pipeline: Pipeline, X: Any, y: Any, learn: Callable[[Any, Any], Block]) -> Pipeline:
    """Fit all steps; `learn` fits those before the model."""
    front, model = split(pipeline)
    fit_method(model)(matrix.write(learn(front, X)), y)
    pipeline.steps = list(pipeline.steps)
    return pipeline


def fit_transform(pipeline: Pipeline, X: Any, y: Any, learn: Callable[[Any, Any], Block]) -> Any:
    """Fit all steps and return what the last makes of `X`."""
    front, model = split(pipeline)
    if not hasattr(model, "fit_transform"):
        raise Unsupported("the last step has no fit_transform")
    value = model.fit_transform(matrix.write(learn(front, X)), y)
    pipeline.steps = list(pipeline.steps)
    return value


def caller(method: str) -> Callable[..., Any]:
    """Return a function that applies a fitted pipeline and calls a method of its model."""

    def call(pipeline: Pipeline, X: Any, *rest: Any) -> Any:
        front, model = split(pipeline)
        if not hasattr(model, method) or len(rest) > (method == "score"):
            raise Unsupported("arguments")
        return getattr(model, method)(trees.transformed(front, X), *rest)

    return call
