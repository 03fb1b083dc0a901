import pytest

from entropy_sums.tables import TABLES
from example import example_tree


@pytest.fixture(scope="session")
def tree():
    return example_tree()


@pytest.fixture(scope="session")
def frame(tree):
    """Final numbers."""
    return TABLES["final"].frame(tree)
