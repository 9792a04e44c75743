"""OneHotEncoder and OrdinalEncoder of strings: a code per distinct value, looked up once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from stratum_dask.ops.direct.preprocessing.cells import NAN, Block, Code, OneHot, Text
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
        raise Unsupported("dtype") from None
    if dtype != np.float64 or not dtype.isnative:
        raise Unsupported("dtype")


def refit(encoder: Any, block: Block) -> None:
    """Leave all as it is: what was learnt from all distinct values is all there is to learn."""
    block.text()


def apply_onehot(encoder: Any, block: Block) -> Block:
    """Return a column for each category that is not dropped."""
    dropped = encoder.drop_idx_
    cells = []
    for i, (cell, positions) in enumerate(_positions(encoder, block)):
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
        dictionary = cell.strings.dictionary
        cells.append(OneHot(dictionary, np.array(slots, dtype=np.int32), width))
    return block.then(cells, order="C", sparse=encoder.sparse_output)


def apply_ordinal(encoder: Any, block: Block) -> Block:
    """Return the number of each value's category."""
    cells = []
    for i, (cell, positions) in enumerate(_positions(encoder, block)):
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
        cells.append(Code(cell.strings.dictionary, np.array(numbers, dtype=np.float64)))
    return block.then(cells, order="C")


def _positions(encoder: Any, block: Block) -> list[tuple[Text, list[int | None]]]:
    """Return for each column the position of each distinct value among the categories."""
    cells = block.text()
    if len(encoder.categories_) != len(cells):
        raise Unsupported("number of columns")
    found = []
    for cell, categories in zip(cells, encoder.categories_, strict=True):
        if categories.dtype != object:
            raise Unsupported("categories that are no strings")
        positions = {_key(category): i for i, category in enumerate(categories)}
        found.append((cell, [positions.get(_key(value)) for value in cell.values]))
    return found


def _key(value: Any) -> Any:
    if type(value) is str:
        return value
    if _is_nan(value):
        return _MISSING
    raise Unsupported("categories that are no strings")


def _is_nan(value: Any) -> bool:
    return value is NAN or (isinstance(value, float) and math.isnan(value))
