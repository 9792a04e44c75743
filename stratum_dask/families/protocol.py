"""What a family of estimators has to say about itself, and what its members have in common."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from sklearn.base import clone

from stratum_dask.families.binned import Binned


class Refused(Exception):
    """An estimator cannot share its fit, known before anything runs; the message says why."""


class FitDirectly(Exception):
    """A guard found, while the fits run, that a member must be fitted by itself, and why."""


class Family(Protocol):
    """Estimators whose fits on the same data contain each other's work.

    Attributes
    ----------
    name : str
    numerics : {"exact", "close"}
        Whether members have the bits of their own fit, or its values within a stated bound.
    classes : frozenset of str
        Public names of the estimators' classes, see :func:`class_of`. Subclasses don't count:
        they may do anything.
    params : frozenset of str
        Arguments of ``fit``, besides X and y, that are understood.
    methods : frozenset of str
        Methods of fitted members whose work can be shared, too; see :class:`SharesUse`.
    """

    name: str
    numerics: str
    classes: frozenset[str]
    params: frozenset[str]
    methods: frozenset[str]

    def key(self, estimator: Any) -> Hashable:
        """Return what must agree for two fits on the same data to share their work.

        Raises
        ------
        Refused
            If this estimator's fit cannot be shared.
        """

    def learn(self, estimators: Sequence[Any], X: Any, y: Any, params: Mapping[str, Any]) -> Any:
        """Do what the fits of these estimators have in common.

        Whatever this raises makes every member be fitted by itself, so that those whose own fit
        fails get their own error.
        """

    def cut(self, learned: Any, estimator: Any) -> Any:
        """Make the fitted estimator that fitting a clone of `estimator` would have given.

        Raises
        ------
        FitDirectly
            If a guard says that it would not be the same.
        """


class SharesUse(Family, Protocol):
    """A family that also shares the work of applying its members to the same rows."""

    def prepare(self, learned: Any, X: Any) -> Any:
        """Do what applying any of the members to these rows has in common."""

    def apply(
        self,
        prepared: Any,
        member: Any,
        method: str,
        X: Any,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> Any:
        """Return what ``getattr(member, method)(X, *args, **kwargs)`` would.

        Raises
        ------
        FitDirectly
            If a guard says that it would not be the same.
        """


class SharesFolds(Family, Protocol):
    """A family that also shares work between fits on several folds of the same rows."""

    def learn_folds(
        self, estimators: Sequence[Any], X: Any, y: Any, folds: Sequence[np.ndarray]
    ) -> Sequence[Any]:
        """Return what ``learn`` would on each fold, or the :class:`FitDirectly` that it raises.

        Parameters
        ----------
        estimators : sequence of estimators
            Of all folds.
        X, y : array-like
            All rows.
        folds : sequence of arrays of int
            Which rows each fold is fitted on, in any order.
        """


class SharesRows(Family, Protocol):
    """A family whose library bins the rows before it fits, alike for many parameters.

    Then ``learn`` is the fit of one member, whose fit holds those of all others.

    Attributes
    ----------
    rows_params : frozenset of str
        Arguments of ``fit``, besides X and y, that are understood when only rows are shared.
    """

    rows_params: frozenset[str]

    def rows_key(self, estimator: Any) -> Hashable:
        """Return what must agree for two fits on the same data to share their binned rows.

        Raises
        ------
        Refused
            If this estimator's rows cannot be shared.
        """

    def longest(self, estimators: Sequence[Any]) -> Any:
        """Return the member whose fit holds all others."""

    def fit_binned(
        self, rows: Binned, estimator: Any, X: Any, y: Any, params: Mapping[str, Any]
    ) -> None:
        """Fit an estimator in place, on binned rows that are made if nobody has made them.

        Raises
        ------
        FitDirectly
            If its library goes another way.
        """


def class_of(estimator: Any) -> str:
    """Return the distribution and name of an estimator's class.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> class_of(Ridge())
    'sklearn.Ridge'
    """
    kind = type(estimator)
    return f"{kind.__module__.partition('.')[0]}.{kind.__qualname__}"


def all_but(estimator: Any, *names: str) -> Hashable:
    """Return the class and parameters of an estimator, without some that may differ.

    Parameters
    ----------
    estimator : estimator
    *names : str
        The parameters to leave out.

    Raises
    ------
    Refused
        If a parameter is no plain value: a generator or a nested estimator has state.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> all_but(Ridge(1.0), "alpha") == all_but(Ridge(2.0), "alpha")
    True
    """
    found: list[Hashable] = [class_of(estimator)]
    for name, value in sorted(estimator.get_params(deep=False).items()):
        if name not in names:
            found.append((name, _plain(name, value)))
    return tuple(found)


def _plain(name: str, value: Any) -> Hashable:
    if value is None or isinstance(value, bool | int | float | str | np.generic):
        return type(value).__name__, repr(value)
    if isinstance(value, list | tuple):
        return type(value).__name__, tuple(_plain(name, item) for item in value)
    if isinstance(value, dict):
        return "dict", tuple((_plain(name, k), _plain(name, v)) for k, v in value.items())
    raise Refused(f"has a parameter {name} of type {type(value).__name__}, which is not compared")


def count(estimator: Any, name: str) -> int:
    """Return a parameter that counts something.

    Raises
    ------
    Refused
        If it is no positive integer: what then happens is the estimator's own business.
    """
    value = getattr(estimator, name)
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise Refused(f"has {name}={value!r}, which is no positive integer")
    return int(value)


def refuse_if(estimator: Any, **conditions: str) -> None:
    """Refuse an estimator that has one of some parameters switched on.

    Parameters
    ----------
    estimator : estimator
    **conditions
        Parameter names, with the reason why such a fit cannot be shared.

    Raises
    ------
    Refused
    """
    for name, reason in conditions.items():
        if getattr(estimator, name, None):
            raise Refused(f"has {name}={getattr(estimator, name)!r}: {reason}")


def fitted_like(estimator: Any, source: Any, **own: Any) -> Any:
    """Return a clone of an estimator with the fitted state of another.

    Parameters
    ----------
    estimator : estimator
        Whose class and parameters the result has.
    source : estimator
        Whose fitted attributes the result has; copied, since arrays and objects can be changed.
    **own
        Attributes that replace those of `source`, taken as they are.

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> source = Ridge().fit([[0.0], [1.0]], [0.0, 1.0])
    >>> fitted_like(Ridge(alpha=2.0), source, intercept_=0.5)
    Ridge(alpha=2.0)
    """
    fresh = clone(estimator)
    params = fresh.get_params(deep=False)
    for name, value in vars(source).items():
        if name not in params:
            setattr(fresh, name, own[name] if name in own else copy.deepcopy(value))
    return fresh
