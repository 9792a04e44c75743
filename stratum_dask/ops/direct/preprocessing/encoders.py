"""OneHotEncoder and OrdinalEncoder of strings and integers: each distinct value looked up once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stratum_dask.ops.direct.dictionary import Dictionary
from stratum_dask.ops.direct.preprocessing.cells import (
    NAN,
    Block,
    Code,
    Number,
    OneHot,
    Other,
    Text,
)
from stratum_dask.ops.direct.preprocessing.frame import integers
from stratum_dask.ops.steps import Unsupported

#: Stands for missing among the categories: NaN equals nothing, itself included.
_MISSING = object()


def check(encoder: Any) -> None:
    """Refuse parameters that have no native form."""
    if encoder.max_categories is not None or encoder.min_frequency is not None:
        raise Unsupported("infrequent categories")
    try:
        dtype = np.dtype(encoder.dtype)
    except TypeError:
        raise Unsupported("dtype that NumPy does not know") from None
    if dtype != np.float64 or not dtype.isnative:
        raise Unsupported(f"encodes to dtype {dtype}")


def refit(encoder: Any, block: Block) -> None:
    """Leave all as it is: what was learnt from all distinct values is all there is to learn."""
    _distinct(block)


def apply_onehot(encoder: Any, block: Block) -> Block:
    """Return a column for each category that is not dropped."""
    dropped = encoder.drop_idx_
    cells = []
    for i, (dictionary, positions) in enumerate(places(encoder, block)):
        drop = None if dropped is None else dropped[i]
        width = len(encoder.categories_[i]) - (drop is not None)
        slots = []
        for position in positions:
            if position is None:
                if encoder.handle_unknown in ("error", "warn") or dropped is not None:
                    raise Unsupported("unknown categories")
                slots.append(-1)
            elif drop is None or position < drop:
                slots.append(position)
            else:
                slots.append(-1 if position == drop else position - 1)
        cells.append(OneHot(dictionary, np.array(slots, dtype=np.int32), width))
    return block.then(cells, order="C", sparse=encoder.sparse_output)


def apply_ordinal(encoder: Any, block: Block) -> Block:
    """Return the number of each value's category."""
    cells = []
    for i, (dictionary, positions) in enumerate(places(encoder, block)):
        categories = encoder.categories_[i]
        missing = len(categories) - 1 if _is_nan(categories[-1]) else None
        numbers = []
        for position in positions:
            if position is None:
                if encoder.handle_unknown != "use_encoded_value":
                    raise Unsupported("unknown categories")
                numbers.append(encoder.unknown_value)
            else:
                numbers.append(encoder.encoded_missing_value if position == missing else position)
        cells.append(Code(dictionary, np.array(numbers, dtype=np.float64)))
    return block.then(cells, order="C")


def places(encoder: Any, block: Block) -> list[tuple[Dictionary, list[int | None]]]:
    """Return for each column the position of each distinct value among the categories."""
    columns = _distinct(block)
    if len(encoder.categories_) != len(columns):
        raise Unsupported("number of columns")
    found = []
    for (dictionary, values, kinds), categories in zip(columns, encoder.categories_, strict=True):
        if categories.dtype.kind not in kinds:
            raise Unsupported("categories of another kind")
        positions = {_key(category): i for i, category in enumerate(categories.tolist())}
        found.append((dictionary, [positions.get(_key(value)) for value in values]))
    return found


def _distinct(block: Block) -> list[tuple[Dictionary, list[Any], str]]:
    """Return for each column its dictionary, the values as filled, and the kinds of its dtype."""
    found = []
    for cell in block.cells:
        if isinstance(cell, Text):
            found.append((cell.dictionary, cell.values, "O"))
        elif isinstance(cell, Number) and block.names is not None:
            dictionary = integers(cell)
            found.append((dictionary, dictionary.values, "iu"))
        else:
            raise Unsupported(
                cell.reason if isinstance(cell, Other) else "encodes what was computed"
            )
    return found


def _key(value: Any) -> Any:
    if type(value) is str or type(value) is int:
        return value
    if _is_nan(value):
        return _MISSING
    raise Unsupported("categories that are neither strings nor integers")


def _is_nan(value: Any) -> bool:
    return value is NAN or (isinstance(value, float) and math.isnan(value))
