from pathlib import Path

import pytest

from entropy_sums.study.grid import Grid
from entropy_sums.study.schema import read


@pytest.fixture
def load(tmp_path):
    """A grid from the text of a study file."""

    def load(text: str) -> Grid:
        path: Path = tmp_path / "study.yaml"
        path.write_text(text)
        return Grid(read(path), path)

    return load
