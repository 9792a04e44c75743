"""What this machine's arithmetic depends on: exact results are shared only within one class.

NumPy picks its loops by the processor's instructions, BLAS its kernels by the core, the C library
has its own ``log1p``: each changes last bits (Ridge and StandardScaler differ between OpenBLAS
kernels, ``log1p`` between AVX2 and AVX-512).
"""

from __future__ import annotations

import platform
from functools import cache
from importlib import metadata
from importlib.util import find_spec

import numpy as np
import pandas as pd
import threadpoolctl

from stratum_dask.literals import digest

_LIBRARIES = ("numpy", "scipy", "pandas", "scikit-learn", "pyarrow", "stratum_dask")


@cache
def describe() -> dict[str, object]:
    """Say what the class consists of.

    Returns
    -------
    dict
        The machine's type, NumPy's instruction sets, BLAS libraries with version and core, the C
        library, the versions of those libraries that all others compute with, and what pandas
        computes with instead of itself. JSON-like values only.

    Examples
    --------
    >>> sorted(describe())
    ['accelerators', 'blas', 'libc', 'libraries', 'machine', 'python', 'simd']
    """
    simd = np.show_config(mode="dicts")["SIMD Extensions"]
    blas = {
        (one["internal_api"], one["version"], one.get("architecture"))
        for one in threadpoolctl.threadpool_info()
        if one["user_api"] == "blas" and "numpy" in one["filepath"]
    }
    used = {
        name: metadata.version(name)
        for name in ("bottleneck", "numexpr")
        if find_spec(name) and pd.get_option(f"compute.use_{name}")
    }
    return {
        "machine": platform.machine(),
        "simd": sorted(simd.get("baseline", [])) + sorted(simd.get("found", [])),
        "blas": sorted(map(list, blas), key=repr),
        "libc": list(platform.libc_ver()),
        "accelerators": used,
        "libraries": {name: metadata.version(name) for name in _LIBRARIES},
        "python": platform.python_version(),
    }


@cache
def numeric_class() -> bytes:
    """Return the class of this process, 16 bytes.

    Examples
    --------
    >>> len(numeric_class())
    16
    """
    return digest(repr(sorted(describe().items())).encode())
