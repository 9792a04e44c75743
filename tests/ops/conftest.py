"""What the tests of operations share."""

from __future__ import annotations

import pytest

from tests.ops.oracle import every_length


@pytest.fixture(scope="module")
def few_rows_too():
    """Let native forms run on few rows, too."""
    with pytest.MonkeyPatch.context() as patch:
        every_length(patch)
        yield
