"""Canonical names of callables, and what the table says of them."""

from __future__ import annotations

import builtins
import inspect
import operator
import os
import sys
import sysconfig
import types
from collections.abc import Callable, Iterable
from functools import cache, lru_cache
from typing import Any

import numpy as np
import pandas as pd
from dask.utils import methodcaller
from sklearn.base import BaseEstimator

from stratum_dask.semantics.table import (
    BOOSTERS,
    BUILTINS,
    CLOCKS,
    CONSUMED_ONCE,
    LIBRARIES,
    MUTATING_METHODS,
    NUMPY,
    OPERATORS,
    OURS,
    PANDAS,
    PURE_METHODS,
    SKLEARN,
)


@lru_cache(maxsize=8192)
def _cached_name(func: Any) -> tuple[Any, str | None]:
    return func, _name(func)


def _name(func: Any) -> str | None:
    if type(func) is methodcaller:
        return "." + str(func.method)
    name = getattr(func, "__name__", None)
    module = getattr(func, "__module__", None) or ""
    if not isinstance(name, str) or not isinstance(module, str):
        return None
    if isinstance(func, np.ufunc):
        if getattr(np, name, None) is func:
            return f"numpy.{name}"
        module = "scipy.special"
    if getattr(builtins, name, None) is func:
        return "getattr" if func is getattr else f"builtins.{name}"
    root = module.partition(".")[0]
    if root in ("_operator", "operator"):
        return f"operator.{name}" if getattr(operator, name, None) is func else None
    if root == "numpy":
        if getattr(np, name, None) is func:
            return f"numpy.{name}"
        if getattr(np.random, name, None) is func:
            return f"numpy.random.{name}"
    if root == "pandas":
        if getattr(pd, name, None) is func:
            return f"pandas.{name}"
        owners = (pd.DataFrame, pd.Series)
        return f".{name}" if any(getattr(o, name, None) is func for o in owners) else None
    if module == "dask.dataframe.dask_expr._accessor":
        properties = getattr(sys.modules.get(module), "PropertyMap", None)
        return "dask.accessor" if func is getattr(properties, "operation", None) else None
    # What wraps a function of a library may bear its name, but does not stand in its place.
    if getattr(sys.modules.get(module), name, None) is not func and root in _OF_MODULES:
        return None
    if root == "sklearn":
        return f"sklearn.{module.split('.')[1]}.{name}"
    if module in BOOSTERS and isinstance(func, type):  # estimators like scikit-learn's own
        return f"sklearn.{root}.{name}"
    module = module.replace("_functools", "functools")
    if module == "dask.dataframe.dask_expr._expr" and name == "assign":
        return "dask.assign"
    if root == "stratum_dask" and name in OURS:
        return f"stratum.{name}"
    public = module if module in LIBRARIES else ".".join(module.split(".")[:2])
    if public in LIBRARIES and getattr(sys.modules.get(public), name, None) is func:
        return f"{public}.{name}"
    return None


_OF_MODULES = ("sklearn", "stratum_dask", "dask", *(one.partition(".")[0] for one in BOOSTERS))
"""Packages whose functions and classes are known by the module that defines them."""


def name_of(func: Callable[..., Any]) -> str | None:
    """Return the canonical name of a callable that we may know.

    Examples
    --------
    >>> import numpy as np, operator, pandas as pd
    >>> name_of(np.log1p), name_of(operator.add), name_of(pd.DataFrame.fillna)
    ('numpy.log1p', 'operator.add', '.fillna')
    >>> name_of(lambda: None) is None
    True
    """
    try:
        cached, name = _cached_name(func)
    except TypeError:  # unhashable
        return None
    return name if cached is func else _name(func)  # users' objects may equal any other


def is_pure(name: str, func: Any = None) -> bool:
    """Tell whether the callable of this name is pure, given seeds and files (see the sets).

    Examples
    --------
    >>> is_pure("numpy.log1p"), is_pure(".fillna"), is_pure(".to_csv")
    (True, True, False)
    """
    if name.startswith("."):
        method = name[1:]
        return method in PURE_METHODS or method in MUTATING_METHODS
    root, _, rest = name.partition(".")
    module, _, function = name.rpartition(".")
    if module in LIBRARIES:
        return function in LIBRARIES[module]
    if root == "numpy":
        return rest in NUMPY or isinstance(getattr(np, rest, None), np.ufunc)
    if root == "sklearn":
        if rest.startswith("metrics.") or name in SKLEARN:
            return True
        return isinstance(func, type) and (
            issubclass(func, BaseEstimator) or rest.startswith("model_selection.")
        )
    if root == "builtins":
        value = getattr(builtins, rest, None)
        return rest in BUILTINS or (isinstance(value, type) and issubclass(value, BaseException))
    if root == "operator":
        return rest in OPERATORS
    if root == "pandas":
        return rest in PANDAS
    return name in ("getattr", "dask.assign", "dask.accessor") or (
        root == "stratum" and rest in OURS
    )


def consumed_once(name: str) -> bool:
    """Tell whether a call returns an iterator, which two candidates could not share."""
    root, _, rest = name.partition(".")
    if root == "itertools":
        return True
    return (root == "builtins" and rest in CONSUMED_ONCE) or name in (
        ".items",
        ".iterrows",
        ".itertuples",
    )


def reads_clock(name: str | None, args: Iterable[Any]) -> bool:
    """Tell whether a call asks for the present time by one of its arguments.

    Examples
    --------
    >>> reads_clock("pandas.Timestamp", ["now"]), reads_clock("pandas.Timestamp", ["2024-02-29"])
    (True, False)
    """
    return name in CLOCKS and any(map(says_now, args))


def says_now(value: Any, depth: int = 4) -> bool:
    """Tell whether a value is, or holds, a text that pandas and NumPy may take for the clock.

    Parameters
    ----------
    value : object
    depth : int
        How many containers inside of each other are looked into.

    Examples
    --------
    >>> says_now(["now", "2024-02-29"]), says_now({"day": "monday"})
    (True, False)
    """
    if type(value) is str:
        return value in ("now", "today")
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return depth > 0 and any(says_now(one, depth - 1) for one in value)
    if isinstance(value, pd.DataFrame):
        return any(says_now(value.iloc[:, i]) for i in range(value.shape[1]))
    if isinstance(value, np.ndarray | pd.Series | pd.Index) and isinstance(
        value.dtype, np.dtype | pd.StringDtype
    ):
        texts = value.dtype.kind in "OU" and value.size
        return bool(texts) and bool(pd.Series(np.ravel(value)).isin(["now", "today"]).any())
    return False


@lru_cache(maxsize=16_384)
def is_library(module: str) -> bool:
    """Tell whether a module that is loaded belongs to an installed distribution, or Python."""
    file = getattr(sys.modules.get(module), "__file__", None)
    if not isinstance(file, str) or module.startswith("stratum_dask."):  # the demo's candidates
        return False
    return file.startswith(_folders())


@cache
def _folders() -> tuple[str, ...]:
    paths = sysconfig.get_paths()
    return tuple(paths[kind] + os.sep for kind in ("purelib", "platlib", "stdlib"))


def of_library(func: Any) -> str | None:
    """Return the module of a function that an installed distribution or Python itself defines.

    Such functions count as pure if the table says so; their code is not read.

    Examples
    --------
    >>> import textwrap
    >>> of_library(textwrap.dedent), of_library(lambda: None)
    ('textwrap', None)
    """
    module = getattr(func, "__module__", None)
    if isinstance(func, types.FunctionType):  # `functools.wraps` lends it another's module
        module = func.__globals__.get("__name__", module)
    return module if isinstance(module, str) and is_library(module) else None


def written(method: Any) -> Any:
    """Return a method as it stands in its class: scikit-learn wraps some, for ``set_output``.

    Examples
    --------
    >>> import inspect
    >>> from sklearn.base import BaseEstimator, TransformerMixin
    >>> class Mine(TransformerMixin, BaseEstimator):
    ...     def transform(self, X): ...
    >>> written(Mine.transform).__code__.co_varnames
    ('self', 'X')
    """
    return inspect.unwrap(method, stop=lambda one: not _is_of_sklearn(one))


def _is_of_sklearn(func: Any) -> bool:
    return (of_library(func) or "").partition(".")[0] == "sklearn"
