"""scikit-learn's preprocessing as one pass over the columns.

What a chain of imputers, scalers and encoders does to each value is known once they are fitted, so
the chain is not run step by step on whole tables: columns stay as they lie in the frame, each step
only adds to what will be done to them, and the final matrix is written once, dense or sparse.

Fitted are the user's own estimators, by their own `fit` on the few rows that hold all distinct
strings; what depends on all rows is then put in place. They need nothing of ours afterwards.
"""

from stratum_dask.ops.direct.preprocessing.entries import ENTRIES, call_parts
from stratum_dask.ops.direct.preprocessing.trees import is_native

__all__ = ["ENTRIES", "call_parts", "is_native"]
