"""What the tasks of shared fits call. Families travel by name, estimators unfitted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

from stratum_dask.families.binned import Binned, of_rows
from stratum_dask.families.protocol import FitDirectly, SharesRows, SharesUse
from stratum_dask.families.registry import FAMILIES
from stratum_dask.ops import counters
from stratum_dask.ops.fitting import fit, ready
from stratum_dask.runtime.threads import idle_cores


class Failed(NamedTuple):
    """Stands for shared work that could not be done."""

    reason: str


def reason_of(found: Exception) -> str:
    """Say why shared work is not used: a guard said so, or it failed and the own fit may, too."""
    return (
        str(found) if isinstance(found, FitDirectly) else f"shared, raises {type(found).__name__}"
    )


def counted_as(family: str, method: str = "") -> str:
    """Return the name under which the members of a family are counted, or their uses.

    Examples
    --------
    >>> counted_as("forests"), counted_as("neighbors", "predict")
    ('family forests', 'family neighbors.predict')
    """
    return f"family {family}.{method}" if method else f"family {family}"


def learn_family(
    family: str, estimators: Sequence[Any], X: Any, y: Any = None, /, **params: Any
) -> Any:
    """Do what the fits of several estimators on the same data have in common.

    Parameters
    ----------
    family : str
    estimators : sequence of estimators
        Unfitted; stay as they are.
    X, y, **params
        What each would have been fitted on.

    Returns
    -------
    object
        For :func:`cut_member`. A failure is a value: every member then fits by itself, and gets
        its own error if its own fit fails.
    """
    try:
        return FAMILIES[family].learn(estimators, X, y, params)
    except Exception as found:
        return Failed(reason_of(found))


def cut_member(
    family: str, learned: Any, estimator: Any, X: Any, y: Any = None, /, **params: Any
) -> Any:
    """Return the fitted estimator that fitting a clone of `estimator` would have given.

    Parameters
    ----------
    family : str
    learned : object
        What :func:`learn_family` returned.
    estimator : estimator
        Unfitted; stays as it is.
    X, y, **params
        What to fit it on if it cannot be cut out; counted as a fallback.

    Returns
    -------
    estimator
        Fitted. Trees are shared with its siblings: what edits it gets a copy, as of any value
        that others may see.

    Examples
    --------
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> small, large = (RandomForestRegressor(n, random_state=0) for n in (2, 3))
    >>> X, y = [[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0]
    >>> learned = learn_family("forests", [small, large], X, y)
    >>> cut_member("forests", learned, small, X, y)
    RandomForestRegressor(n_estimators=2, random_state=0)
    """
    return cut_or_fit(family, learned, estimator, X, lambda: fit(estimator, X, y, **params))


def cut_or_fit(
    family: str, learned: Any, estimator: Any, X: Any, fit_directly: Callable[[], Any]
) -> Any:
    """Cut a member out of what was learned, or fit it by itself, counted as a fallback."""
    reason = learned.reason if isinstance(learned, Failed) else None
    if reason is None:
        try:
            member = FAMILIES[family].cut(learned, estimator)
        except Exception as found:
            reason = reason_of(found)
        else:
            counters.hit(counted_as(family))
            return member
    counters.fallback(counted_as(family), (X,), reason)
    return fit_directly()


def bin_rows(
    family: str, estimator: Any, X: Any, y: Any = None, /, **params: Any
) -> Binned | Failed:
    """Bin the rows that several estimators are fitted on.

    Parameters
    ----------
    family : str
    estimator : estimator
        Any of them.
    X, y, **params
        What each would have been fitted on.

    Returns
    -------
    Binned
        For :func:`fit_binned` and :func:`learn_binned`. A failure is a value, as in
        :func:`learn_family`.
    """
    rows = of_rows(X)
    try:
        if rows.fill(lambda: _fitted_on(rows, family, estimator, X, y, params)):
            return rows
        return Failed("this version of the library fits without asking for binned rows")
    except Exception as found:
        return Failed(reason_of(found))


def fit_binned(
    family: str, rows: Any, estimator: Any, X: Any, y: Any = None, /, **params: Any
) -> Any:
    """Return the fitted estimator that fitting a clone of `estimator` would have given.

    Parameters
    ----------
    family : str
    rows : Binned or Failed
        What :func:`bin_rows` returned.
    estimator : estimator
        Unfitted; stays as it is.
    X, y, **params
        What to fit it on; without the binned rows if they cannot be used, counted as a fallback.
    """
    reason = rows.reason if isinstance(rows, Failed) else None
    if reason is None:
        try:
            fitted = _fitted_on(rows, family, estimator, X, y, params)
        except Exception as found:
            reason = reason_of(found)
        else:
            counters.hit(counted_as(family, "rows"))
            return fitted
    counters.fallback(counted_as(family, "rows"), (X,), reason)
    return fit(estimator, X, y, **params)


def learn_binned(
    family: str, rows: Any, estimators: Sequence[Any], X: Any, y: Any = None, /, **params: Any
) -> Any:
    """Do as :func:`learn_family` does, on binned rows that others use, too."""
    longest = cast(SharesRows, FAMILIES[family]).longest(estimators)
    try:
        return fit_binned(family, rows, longest, X, y, **params)
    except Exception as found:
        return Failed(reason_of(found))


def _fitted_on(
    rows: Binned, family: str, estimator: Any, X: Any, y: Any, params: dict[str, Any]
) -> Any:
    fresh, params = ready(estimator, params)
    with idle_cores(fresh, X):
        cast(SharesRows, FAMILIES[family]).fit_binned(rows, fresh, X, y, params)
    return fresh


def prepare_use(family: str, learned: Any, X: Any) -> Any:
    """Do what applying the members of a family to the same rows has in common.

    Parameters
    ----------
    family : str
    learned : object
        What :func:`learn_family` returned.
    X : array-like

    Returns
    -------
    object
        For :func:`apply_member`.
    """
    if isinstance(learned, Failed):
        return learned
    try:
        return cast(SharesUse, FAMILIES[family]).prepare(learned, X)
    except Exception as found:
        return Failed(reason_of(found))


def apply_member(
    family: str, prepared: Any, member: Any, method: str, X: Any, /, *args: Any, **kwargs: Any
) -> Any:
    """Return what ``getattr(member, method)(X, ...)`` would.

    Parameters
    ----------
    family : str
    prepared : object
        What :func:`prepare_use` returned.
    member : estimator
        Fitted.
    method : str
    X, *args, **kwargs
        Its arguments.
    """
    reason = prepared.reason if isinstance(prepared, Failed) else None
    if reason is None:
        try:
            value = cast(SharesUse, FAMILIES[family]).apply(
                prepared, member, method, X, args, kwargs
            )
        except Exception as found:
            reason = reason_of(found)
        else:
            counters.hit(counted_as(family, method))
            return value
    counters.fallback(counted_as(family, method), (X,), reason)
    return getattr(member, method)(X, *args, **kwargs)
