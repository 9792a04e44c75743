"""All families, and which one an estimator belongs to."""

from __future__ import annotations

from typing import Any

from stratum_dask.families.boosters import ExtremeBoosting, LightBoosting
from stratum_dask.families.boosting import GradientBoosting, HistGradientBoosting
from stratum_dask.families.decomposition import PrincipalComponents
from stratum_dask.families.forests import Forests
from stratum_dask.families.linear import LinearModels
from stratum_dask.families.neighbors import Neighbors
from stratum_dask.families.protocol import Family, class_of

FAMILIES: dict[str, Family] = {
    one.name: one
    for one in (
        Forests(),
        GradientBoosting(),
        HistGradientBoosting(),
        LightBoosting(),
        ExtremeBoosting(),
        LinearModels(),
        Neighbors(),
        PrincipalComponents(),
    )
}


def family_of(estimator: Any, numerics: str = "exact") -> Family | None:
    """Return the family of an estimator, if there is one under these numerics.

    Parameters
    ----------
    estimator : estimator
    numerics : {"exact", "close"}

    Examples
    --------
    >>> from sklearn.linear_model import Ridge
    >>> from sklearn.neighbors import KNeighborsRegressor
    >>> family_of(KNeighborsRegressor()).name, family_of(Ridge())
    ('neighbors', None)
    """
    name = class_of(estimator)
    for family in FAMILIES.values():
        if name in family.classes and family.numerics in ("exact", numerics):
            return family
    return None
