"""The studies that come with the project, in every size: nothing is misspelt, and they fit where they should.

After a change that is meant to alter them, `python tests/study/test_shipped.py` writes shipped.csv anew.
"""

import csv
import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from entropy_sums.study import pictures
from entropy_sums.study.grid import Grid, digest
from entropy_sums.study.plan import as_text, cost
from entropy_sums.study.schema import Study, read

ROOT = Path(__file__).parents[2]
KEPT = Path(__file__).with_name("shipped.csv")
"""What every study has: a later one that is written in another way is to have the same."""
FILES = [ROOT / "config" / "config.yaml", *sorted((ROOT / "config" / "studies").glob("*.yaml"))]
MINUTES = {"zoo": 25, "damm2023": 30, "energy": 30}
"""On two cores, by the forecast; all others take at most 15."""
SIZES = [(path, size) for path in FILES for size in (None, *yaml.safe_load(path.read_text()).get("sizes", {}))]


@pytest.mark.parametrize(("path", "size"), SIZES, ids=[f"{path.stem}-{size}" for path, size in SIZES])
def test_every_size_has_a_plan(path, size):
    grid = Grid(read(path, size), path)
    assert f"{len(grid.runs)} runs in {len(grid.jobs)} jobs" in as_text(grid)


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


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_the_first_line_points_editors_to_the_schema(path):
    """It is the present one, which `entropy-sums schema > config/study.schema.json` writes, and accepts the file."""
    name = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# yaml-language-server: $schema=")
    schema = json.loads((path.parent / name).read_text(encoding="utf-8"))
    assert schema == Study.model_json_schema()
    jsonschema.validate(yaml.safe_load(path.read_text(encoding="utf-8")), schema)


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_what_a_collected_file_records_is_the_same_study(path):
    grid = Grid(read(path).model_copy(update={"skip_missing": False}), path)
    again = Grid(Study.model_validate_json(grid.study.model_dump_json()), path)
    assert {name: job.identity for name, job in again.jobs.items()} == {n: job.identity for n, job in grid.jobs.items()}


def summary(path, size):
    """Of all cells, whatever data are at hand: numbers, and digests of names with coordinates, and of identities."""
    grid = Grid(read(path, size).model_copy(update={"skip_missing": False}), path)
    jobs = sorted(grid.jobs.items())
    coordinates = [[name, [[run.model, sorted(run.coordinates.items())] for run in job.runs]] for name, job in jobs]
    dimensions = {model: grid.dimensions(model) for model in {run.model for run in grid.runs}}
    return {
        "study": path.stem,
        "size": size or "",
        "jobs": str(len(jobs)),
        "runs": str(len(grid.runs)),
        "cells": digest([coordinates, dimensions]),
        "identities": digest([[name, job.identity, job.data] for name, job in jobs]),
    }


@pytest.mark.parametrize(("path", "size"), SIZES, ids=[f"{path.stem}-{size}" for path, size in SIZES])
def test_every_size_keeps_its_cells_names_and_identities(path, size):
    with KEPT.open(newline="") as file:
        kept = {(row["study"], row["size"]): row for row in csv.DictReader(file)}
    assert summary(path, size) == kept[path.stem, size or ""]


if __name__ == "__main__":
    rows = [summary(path, size) for path, size in SIZES]
    with KEPT.open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
