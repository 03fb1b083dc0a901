"""docs/results-format.md says what the code declares."""

import importlib.util
from pathlib import Path

import pytest

from entropy_sums.quantities import LIMITS, QUANTITIES
from entropy_sums.tables import TABLES

SCRIPT = Path(__file__).parents[1] / "docs" / "tables.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("docs_tables", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def page(script):
    return script.PAGE.read_text(encoding="utf-8")


def test_its_tables_are_those_of_the_code(script, page):
    assert script.written(page) == page, "python docs/tables.py"


def test_a_difference_would_be_found(script, page):
    edited = page.replace("ELBO minus entropy sum", "entropy sum minus ELBO")
    assert edited != page
    assert script.written(edited) == page


def test_every_quantity_and_column_is_on_it(page):
    for name in QUANTITIES:
        plain = name
        for end in LIMITS:
            plain = plain.removesuffix(end)
        assert f"`{plain}`" in page, name
    for table in TABLES.values():
        for column in table.columns:
            assert f"| `{column.name}` |" in page, column.name
