"""What tasks take that were never measured: orders of magnitude, from measurements of our own.

Taken on one core over 5,000 to 40,000 flights, with numbers, one-hot columns and text.
"""

from __future__ import annotations

from typing import NamedTuple

_MEGABYTE = 1e6
_LEAST = 1e-4
"""Seconds that any call takes, with all that is around it."""


class _Rate(NamedTuple):
    """Seconds per megabyte of input and round, and bytes of the value per byte of input."""

    seconds: float
    made: float


_OTHER = _Rate(0.005, 1.0)

_CALLS = {
    "container": _Rate(0.0, 1.0),
    "fused": _Rate(0.0005, 1.0),
    "getattr": _Rate(0.0, 1.0),
    "operator.getitem": _Rate(0.001, 0.5),
    ".fit": _Rate(0.02, 0.01),
    ".fit_predict": _Rate(0.02, 0.05),
    ".fit_transform": _Rate(0.02, 1.0),
    ".groupby": _Rate(0.001, 0.2),
    ".merge": _Rate(0.01, 1.0),
    ".predict": _Rate(0.0002, 0.02),
    ".score": _Rate(0.0005, 0.0),
    ".transform": _Rate(0.02, 1.0),
    "pandas.merge": _Rate(0.01, 1.0),
    "pandas.read_csv": _Rate(0.01, 1.5),
    "pandas.read_parquet": _Rate(0.004, 3.0),
    "stratum.bin_rows": _Rate(0.01, 0.12),
    "stratum.apply_member": _Rate(0.0002, 0.02),
    "stratum.alone": _Rate(0.0, 0.0),
    "stratum.assemble": _Rate(0.0, 1.0),
    "stratum.columns": _Rate(0.0005, 0.5),
    "stratum.cut_fold": _Rate(0.0, 0.0),
    "stratum.cut_member": _Rate(0.0, 0.03),
    "stratum.fit": _Rate(0.02, 0.01),
    "stratum.fit_binned": _Rate(0.02, 0.01),
    "stratum.fit_transform": _Rate(0.02, 1.0),
    "stratum.fitted_of": _Rate(0.0, 0.0),
    "stratum.learn_binned": _Rate(0.02, 0.05),
    "stratum.learn_family": _Rate(0.02, 0.05),
    "stratum.learn_folds": _Rate(0.001, 0.0),
    "stratum.opaque_score": _Rate(0.0005, 0.0),
    "stratum.predictions": _Rate(0.0002, 0.02),
    "stratum.prepare_use": _Rate(0.005, 0.1),
    "stratum.rows": _Rate(0.0005, 0.5),
    "stratum.score": _Rate(0.0005, 0.0),
    "stratum.transform": _Rate(0.02, 1.0),
    "stratum.transformed_of": _Rate(0.0, 1.0),
    "stratum.unite": _Rate(0.002, 0.9),
}

_FITTING = frozenset({".fit"}) | {
    f"stratum.{name}" for name in ("fit", "fit_binned", "learn_binned", "learn_family")
}
_FITS = {
    "ElasticNet": 0.01,
    "ExtraTreesClassifier": 0.01,
    "ExtraTreesRegressor": 0.01,
    "GradientBoostingClassifier": 0.02,
    "GradientBoostingRegressor": 0.02,
    "HistGradientBoostingClassifier": 0.002,
    "HistGradientBoostingRegressor": 0.002,
    "KNeighborsClassifier": 0.001,
    "KNeighborsRegressor": 0.001,
    "LGBMClassifier": 0.0003,
    "LGBMRegressor": 0.0003,
    "Lasso": 0.01,
    "LinearRegression": 0.01,
    "LogisticRegression": 0.1,
    "RandomForestClassifier": 0.02,
    "RandomForestRegressor": 0.02,
    "Ridge": 0.003,
    "XGBClassifier": 0.0006,
    "XGBRegressor": 0.0006,
}
"""Seconds per megabyte and round to fit an estimator."""


def guess(kind: str, given: int, rounds: int) -> tuple[float, int]:
    """Return seconds and bytes of the value of a task that nobody has measured.

    Parameters
    ----------
    kind : str
        As :class:`~stratum_dask.runtime.kinds.Work` names it.
    given : int
        Bytes of its inputs.
    rounds : int
        How often it does the same inside.

    Examples
    --------
    >>> guess("stratum.fit Ridge", 10_000_000, 1)
    (0.03, 100000)
    """
    call, _, estimator = kind.partition(" ")
    rate = _CALLS.get(call, _OTHER)
    seconds = rate.seconds
    if call in _FITTING:
        seconds = _FITS.get(estimator.rpartition("+")[2], seconds)
    took = seconds * given * rounds / _MEGABYTE
    return max(took, _LEAST), int(rate.made * given)
