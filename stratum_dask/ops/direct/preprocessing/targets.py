"""TargetEncoder: categories are found by dictionary, all arithmetic is scikit-learn's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from stratum_dask.ops.direct.preprocessing import encoders
from stratum_dask.ops.direct.preprocessing.cells import Block
from stratum_dask.ops.direct.preprocessing.frame import block_of, refuse_other_columns, sample
from stratum_dask.ops.direct.preprocessing.standing_in import standing_in, twin
from stratum_dask.ops.steps import Unsupported

Codes = tuple[np.ndarray, np.ndarray]


def fit(encoder: Any, X: Any, y: Any, /) -> Any:
    """Fit a TargetEncoder and return it."""
    with standing_in(encoder, **_methods(encoder, X)):
        return encoder.fit(X, y)


def fit_transform(encoder: Any, X: Any, y: Any, /) -> Any:
    """Fit a TargetEncoder and return its cross-fitted encodings."""
    with standing_in(encoder, **_methods(encoder, X)):
        return encoder.fit_transform(X, y)


def transform(encoder: Any, X: Any, /) -> Any:
    """Return the encoding of each value."""
    block = block_of(X)
    refuse_other_columns(encoder, block)
    fitted = twin(encoder, _transform=_coder(encoder, X, block))
    try:
        return fitted.transform(X)
    except Exception as error:
        raise Unsupported(f"{type(error).__name__} while transforming") from None


def _methods(encoder: Any, X: Any) -> dict[str, Callable[..., Any]]:
    block = block_of(X)
    assert block.names is not None
    distinct = sample(X, block, frozenset(block.names))

    def learn(data: Any, **options: Any) -> None:
        type(encoder)._fit(encoder, distinct, **options)

    return {"_fit": learn, "_transform": _coder(encoder, X, block)}


def _coder(encoder: Any, X: Any, block: Block) -> Callable[..., Codes]:
    def code(data: Any, **options: Any) -> Codes:
        """Return the number of each value's category, 0 if unknown, and whether it is known."""
        if data is not X:
            raise Unsupported("other data")
        shape = block.rows, len(block.cells)
        numbers, known = np.zeros(shape, np.int64), np.ones(shape, bool)
        for i, (found, positions) in enumerate(encoders.places(encoder, block)):
            numbers[:, i] = found.spread(np.array([p or 0 for p in positions], np.int64))
            if None in positions:
                known[:, i] = found.spread(np.array([p is not None for p in positions]))
        return numbers, known

    return code
