"""Transformers side by side as tasks, so that what several preprocessings share is done once.

ColumnTransformer([("n", scale, ["a", "b"]), ("c", one_hot, ["c"])])

    X -> columns a, b -> fit_transform(scale)   --+
      -> columns c    -> fit_transform(one_hot) --+-> unite -> fitted, transformed
"""

from __future__ import annotations

from typing import Any

from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion

from stratum_dask.writers import may_write

Part = tuple[int, Any, Any]
"""The place of a transformer, itself, and its columns; None for all."""


def parts_of(transformer: Any) -> list[Part]:
    """Return the parts that can be fitted apart; none if it must be fitted as a whole.

    The others stay: what is dropped or passed through, and transformers whose columns are found
    by a function or a mask, which may turn out to be none.

    Parameters
    ----------
    transformer : estimator
        Unfitted.
    """
    kind = type(transformer)
    if kind not in (ColumnTransformer, FeatureUnion) or transformer.verbose:
        return []
    if transformer.n_jobs not in (None, 1) or may_write(transformer):
        return []
    is_union = kind is FeatureUnion
    entries = transformer.transformer_list if is_union else transformer.transformers
    size = 2 if is_union else 3
    if not isinstance(entries, list) or not all(
        isinstance(one, tuple) and len(one) == size for one in entries
    ):
        return []
    return [
        (place, entry[1], None if is_union else entry[2])
        for place, entry in enumerate(entries)
        if not isinstance(entry[1], str)
        and hasattr(entry[1], "fit_transform")
        and (is_union or _names_columns(entry[2]))
    ]


def _names_columns(chosen: Any) -> bool:
    if isinstance(chosen, list):
        return bool(chosen) and all(isinstance(one, str | int) for one in chosen) and not any(
            isinstance(one, bool) for one in chosen
        )  # fmt: skip
    return isinstance(chosen, str | int) and not isinstance(chosen, bool)
