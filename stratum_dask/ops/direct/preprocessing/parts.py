"""ColumnTransformer and Pipeline that can't be one kernel: each part runs natively by itself.

What is fitted and how the parts' results are put together is scikit-learn's own code, which sees
stand-ins for the parts.
"""

from __future__ import annotations

from typing import Any

from dask.utils import methodcaller
from sklearn import get_config
from sklearn.base import BaseEstimator, clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import Pipeline
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from stratum_dask.ops.direct.native import Native
from stratum_dask.ops.direct.preprocessing.standing_in import twin
from stratum_dask.ops.steps import Unsupported

_NAME = "Part("
_CALLS = ("fit", "fit_transform", "transform")


class Part(BaseEstimator):  # type: ignore[misc]  # scikit-learn is not typed
    """Stands in for an estimator inside another; has what that has, and runs natively."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __sklearn_clone__(self) -> Part:
        return Part(clone(self.inner))

    def __sklearn_is_fitted__(self) -> bool:
        check_is_fitted(self.inner)
        return True

    def __sklearn_tags__(self) -> Any:
        return get_tags(self.inner)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "inner" not in vars(self):
            raise AttributeError(name)
        found = getattr(self.inner, name)
        if name not in _CALLS:
            return found
        native = Native(f".{name}", methodcaller(name))

        def call(*args: Any, **kwargs: Any) -> Any:
            value = native(self.inner, *args, **kwargs)
            return self if name == "fit" else value

        return call


def call(method: str, estimator: Any, *args: Any) -> Any:
    """Call a method of a ColumnTransformer or Pipeline whose parts run natively where they can.

    Parameters
    ----------
    method : str
    estimator : ColumnTransformer or Pipeline
        Changed by methods that fit.
    *args : object

    Raises
    ------
    Unsupported
        If scikit-learn would see that these are not its own parts.
    Exception
        As scikit-learn raises it.
    """
    if get_config()["enable_metadata_routing"] or getattr(estimator, "_skl_callbacks", None):
        raise Unsupported("callbacks or routing")
    if getattr(estimator, "_sklearn_output_config", None) or estimator.verbose:
        raise Unsupported("set_output or messages")
    if getattr(estimator, "n_jobs", None) not in (None, 1) or getattr(estimator, "memory", None):
        raise Unsupported("other processes or a cache")
    fits = method.startswith("fit")
    given = "transformers" if type(estimator) is ColumnTransformer else "steps"
    fitted = "transformers_" if type(estimator) is ColumnTransformer else "steps"
    holds = given if fits else fitted
    wrapped = {holds: _wrapped(getattr(estimator, holds, None))}  # None before the first fit
    own = getattr(type(estimator), method)
    before = dict(vars(estimator))
    changed = estimator if fits else twin(estimator)
    vars(changed).update(wrapped)
    try:
        return own(changed, *args)
    except Exception as error:
        if _NAME not in str(error):
            raise
        vars(estimator).clear()
        vars(estimator).update(before)
        raise Unsupported("an error that names a stand-in") from None
    finally:
        if fits:
            vars(estimator)[given] = before[given]
            if isinstance(done := vars(estimator).get(fitted), list):
                vars(estimator)[fitted] = [_unwrapped(entry) for entry in done]


def has_parts(estimator: Any) -> bool:
    """Tell whether an estimator is one that :func:`call` takes."""
    return type(estimator) in (ColumnTransformer, Pipeline)


def _wrapped(entries: Any) -> list[Any]:
    if not isinstance(entries, list) or not all(isinstance(entry, tuple) for entry in entries):
        raise Unsupported("parts")
    return [
        (entry[0], Part(entry[1]), *entry[2:]) if hasattr(entry[1], "get_params") else entry
        for entry in entries
    ]


def _unwrapped(entry: Any) -> Any:
    part = entry[1]
    return (entry[0], part.inner, *entry[2:]) if isinstance(part, Part) else entry
