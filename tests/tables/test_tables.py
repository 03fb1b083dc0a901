"""Which tables there are: each declared by one file, found by listing the folder, and light."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from entropy_sums import tables
from entropy_sums.quantities import NAMES
from entropy_sums.tables import TABLES, TOOLS

FOLDER = Path(tables.__file__).parent


def test_a_file_is_a_table():
    files = {file.stem for file in FOLDER.glob("*.py")} - {"__init__", *TOOLS}
    assert list(TABLES) == sorted(files)


@pytest.mark.parametrize("name", TABLES)
def test_declarations_are_whole(name):
    table = TABLES[name]
    columns = [column.name for column in table.columns]
    assert len(set(columns)) == len(columns)
    assert columns[:2] == ["model", "dataset"]
    assert all([table.title, table.caption, *(column.meaning for column in table.columns)])
    assert all(column.heading for column in table.numbers.values())
    assert set(table.compared) <= set(table.numbers)
    assert not [column for column in table.columns if column.unit and column.digits is None]
    assert table.rows == f"entropy_sums.tables.{name}:rows"


@pytest.mark.parametrize("name", TABLES)
def test_a_number_that_is_recorded_has_the_name_of_its_quantity(name):
    """`latent_dim` and the like are settings; others have names that no file has, so that one name means one thing."""
    for column in TABLES[name].numbers.values():
        assert re.fullmatch(r"[a-z_]+", column.name)
        if column.name in NAMES:
            assert column.unit == "nats per data point" or column.name == "gradient_norm"


def test_to_know_them_is_light():
    """The workflow asks which a study has."""
    heavy = "{'torch', 'scipy', 'pandas', 'xarray', 'matplotlib'}"
    code = f"import sys, entropy_sums.tables; print(sorted({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
