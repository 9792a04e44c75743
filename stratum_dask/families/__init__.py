"""Sharing inside fits: estimators whose fits on the same data contain each other's work.

    forest of 10    a prefix of       forest of 100       one fit
    boosting of 50  a prefix of       boosting of 200     one fit
    5 neighbours    the nearest of    50 neighbours       one search
    8 components    the first of      all components      one decomposition
    15 leaves       on the bins of    31 and 63 leaves    one search for bins
    Ridge on a fold from the sums of  its parts           one pass over all folds

One file per family. A family says which estimators group and under which key, what the shared
task computes, and how a member is cut out of it; what comes back is a genuine estimator, equal
to what its own fit would have given.
"""

from stratum_dask.families.folds import cut_fold, learn_folds
from stratum_dask.families.protocol import Family, FitDirectly, Refused, SharesRows
from stratum_dask.families.registry import FAMILIES, family_of
from stratum_dask.families.tasks import (
    apply_member,
    bin_rows,
    cut_member,
    fit_binned,
    learn_binned,
    learn_family,
    prepare_use,
)

__all__ = [
    "FAMILIES",
    "Family",
    "FitDirectly",
    "Refused",
    "SharesRows",
    "apply_member",
    "bin_rows",
    "cut_fold",
    "cut_member",
    "family_of",
    "fit_binned",
    "learn_binned",
    "learn_family",
    "learn_folds",
    "prepare_use",
]
