"""KBinsDiscretizer: finding bins is scikit-learn's own; their indicators are written at once."""

from __future__ import annotations

from typing import Any

import numpy as np

from stratum_dask.ops.direct.dictionary import Dictionary
from stratum_dask.ops.direct.preprocessing import matrix
from stratum_dask.ops.direct.preprocessing.cells import Block, OneHot
from stratum_dask.ops.direct.preprocessing.standing_in import twin
from stratum_dask.ops.steps import Unsupported


class _Indicators:
    """Stands in for the encoder of bins, which looks for each bin among the categories."""

    def __init__(self, encoder: Any) -> None:
        self.encoder = encoder
        self.dtype = encoder.dtype

    def transform(self, bins: np.ndarray) -> Any:
        """Return a column for each bin."""
        if self.dtype != np.float64:
            raise Unsupported(f"bins of dtype {self.dtype}")
        cells = []
        for i, categories in enumerate(self.encoder.categories_):
            codes = bins[:, i].astype(np.int32)
            slots = np.arange(len(categories), dtype=np.int32)
            found = Dictionary(codes, categories, slots.astype(np.int64), len(categories))
            cells.append(OneHot(found, slots, len(categories)))
        return matrix.write(
            Block(tuple(cells), len(bins), order="C", sparse=self.encoder.sparse_output)
        )


def fit_transform(binner: Any, X: Any, y: Any = None, /) -> Any:
    """Fit a KBinsDiscretizer and return the bins of `X`."""
    _check(binner)
    binner.fit(X, y)
    try:
        return transform(binner, X)
    except Unsupported:  # it must not draw its sample twice
        return binner.transform(X)


def transform(binner: Any, X: Any, /) -> Any:
    """Return the bins of `X`."""
    _check(binner)
    if not hasattr(binner, "_encoder"):
        raise Unsupported("not fitted")
    return twin(binner, _encoder=_Indicators(binner._encoder)).transform(X)


def _check(binner: Any) -> None:
    if binner.encode not in ("onehot", "onehot-dense"):
        raise Unsupported("numbers of bins are found as fast by scikit-learn")
    if binner.dtype not in (None, np.float64):
        raise Unsupported("dtype")
