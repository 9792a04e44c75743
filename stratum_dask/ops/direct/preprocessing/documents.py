"""CountVectorizer, TfidfVectorizer and HashingVectorizer: each distinct text is read once.

Counting words is all that is done here for distinct texts only, by scikit-learn's own method; the
rows of the counts are then spread, and scikit-learn goes on with the matrix that it would have had.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, HashingVectorizer, TfidfVectorizer

from stratum_dask.ops.direct.arrow import chunks_of
from stratum_dask.ops.direct.dictionary import Dictionary, encoded
from stratum_dask.ops.direct.preprocessing.standing_in import standing_in, twin
from stratum_dask.ops.steps import Unsupported

_FEWEST = 200
"""Reading so many short texts takes as long as all else."""
_LARGEST = np.iinfo(np.int32).max

COUNTING = (CountVectorizer, TfidfVectorizer)


def fit(vectorizer: Any, texts: Any, y: Any = None, /) -> Any:
    """Fit a vectorizer that counts, and return it."""
    with standing_in(vectorizer, _count_vocab=_counter(vectorizer, texts)):
        vectorizer.fit(texts)
    return vectorizer


def fit_transform(vectorizer: Any, texts: Any, y: Any = None, /) -> Any:
    """Fit a vectorizer and return what it makes of the texts."""
    if type(vectorizer) is HashingVectorizer:
        rows = _hashed(vectorizer, texts)
        vectorizer.fit(texts)
        return rows
    with standing_in(vectorizer, _count_vocab=_counter(vectorizer, texts)):
        return vectorizer.fit_transform(texts)


def transform(vectorizer: Any, texts: Any, /) -> Any:
    """Return what a vectorizer makes of the texts."""
    if type(vectorizer) is HashingVectorizer:
        return _hashed(vectorizer, texts)
    if not hasattr(vectorizer, "vocabulary_"):
        raise Unsupported("not fitted")
    fitted = twin(vectorizer, _count_vocab=_counter(vectorizer, texts))
    try:
        return fitted.transform(texts)
    except Exception as error:
        raise Unsupported(f"{type(error).__name__} while transforming") from None


def _counter(vectorizer: Any, texts: Any) -> Callable[[Any, bool], tuple[Any, Any]]:
    """Return a method that counts the words of distinct texts only."""
    found = _distinct(vectorizer, texts)

    def count(raw_documents: Any, fixed_vocab: bool) -> tuple[Any, Any]:
        if raw_documents is not texts:
            raise Unsupported("other texts")
        own = type(vectorizer)._count_vocab
        vocabulary, counts = own(vectorizer, found.values, fixed_vocab)
        return vocabulary, _spread(counts, found)

    return count


def _hashed(vectorizer: Any, texts: Any) -> Any:
    found = _distinct(vectorizer, texts)
    try:
        rows = vectorizer.transform(found.values)
    except Exception as error:
        raise Unsupported(f"{type(error).__name__} while transforming") from None
    return _spread(rows, found)


def _distinct(vectorizer: Any, texts: Any) -> Dictionary:
    if vectorizer.input != "content":
        raise Unsupported("files")
    given = (vectorizer.preprocessor, vectorizer.tokenizer, vectorizer.analyzer)
    if any(map(callable, given)):
        raise Unsupported("functions of the user")
    chunks_of(texts)
    if len(texts) < _FEWEST:
        raise Unsupported("few rows")
    found = encoded(texts.array, len(texts) // 4 * 3)
    if not found.complete:
        raise Unsupported("missing texts")
    return found


def _spread(rows: Any, found: Dictionary) -> Any:
    """Return the row of its text for each row."""
    if int(np.diff(rows.indptr).astype(np.int64) @ found.counts) > _LARGEST:
        raise Unsupported("64-bit indices")
    return rows[found.codes]
