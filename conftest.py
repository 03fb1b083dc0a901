"""What docstrings of the package may use: `tree`, a small collected file, and `streamed`, one of data in segments."""

from functools import cache

import pytest


@cache
def _trees():
    # Not before tests/conftest.py, which has types and shapes checked in every module that is imported from then on
    from example import example_tree, streaming

    return {"tree": example_tree(), "streamed": streaming()}


@pytest.fixture(autouse=True)
def _collected_files_of_docstrings(request, doctest_namespace):
    if isinstance(request.node, pytest.DoctestItem):
        doctest_namespace.update(_trees())
