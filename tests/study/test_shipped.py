"""The studies that come with the project, in every size: nothing is misspelt, and they fit where they should."""

from pathlib import Path

import pytest
import yaml

from entropy_sums.study import pictures
from entropy_sums.study.grid import Grid
from entropy_sums.study.plan import cost, describe
from entropy_sums.study.schema import read

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "config" / "config.yaml", *sorted((ROOT / "config" / "studies").glob("*.yaml"))]
MINUTES = {"zoo": 25, "damm2023": 30, "energy": 30}
"""On two cores, by the forecast; all others take at most 15."""
SIZES = [(path, size) for path in FILES for size in (None, *yaml.safe_load(path.read_text()).get("sizes", {}))]


@pytest.mark.parametrize(("path", "size"), SIZES, ids=[f"{path.stem}-{size}" for path, size in SIZES])
def test_every_size_has_a_plan(path, size):
    grid = Grid(read(path, size), path)
    assert f"{len(grid.runs)} runs in {len(grid.jobs)} jobs" in describe(grid)


@pytest.mark.parametrize(("path", "size"), SIZES, ids=[f"{path.stem}-{size}" for path, size in SIZES])
def test_every_size_draws_what_it_has_runs_of(path, size):
    """A dataset may be on the axis for the panels of another size."""
    grid = Grid(read(path, size), path)
    drawn = grid.pictures
    assert drawn
    datasets = list(dict.fromkeys(run.dataset for run in grid.runs))
    assert set(drawn) <= set(pictures.names(list(pictures.FIGURES), {"dataset": datasets, "panels": list(grid.panels)}))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_the_default_size_is_for_two_cores(path):
    seconds = sum(cost(job).seconds for job in Grid(read(path), path).jobs.values())
    assert seconds < 2 * 60 * MINUTES.get(path.stem, 15)
