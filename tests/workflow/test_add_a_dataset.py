"""docs/add-a-dataset.md as a user walks it: its files written, its commands given."""

import csv

import pytest
import xarray as xr

from walk import Page

PAGE = Page("add-a-dataset.md")
RESULTS = "results/laplace_noise"


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """The folder after the walk."""
    folder = tmp_path_factory.mktemp("walk")
    PAGE.walk(folder)
    return folder


def test_the_page_has_these_files_and_commands():
    assert list(PAGE.files) == ["my_study/laplace_noise.py", "my_study/study.yaml"]
    assert [[line.split()[1] for line in command.splitlines()] for command in PAGE.commands] == [
        ["settings"],
        ["plan"],
        ["train", "train", "collect", "tables"],
    ]


def test_data_of_each_setting(walked):
    files = sorted((walked / RESULTS / "data").glob("laplace_noise-*.nc"))
    spreads = []
    for file in files:
        with xr.open_dataset(file) as data:
            assert data.attrs["source"] == "Laplace, 1774"
            assert data["train"].shape == (200, 4)
            spreads.append(abs(data["train"]).mean().item() / data["scale"].item())
    assert spreads == pytest.approx([1, 1], abs=0.1)


def test_the_true_log_likelihood_is_above_the_elbo(walked):
    with (walked / RESULTS / "tables/final.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {float(row["width"]) for row in rows} == {0.5, 1.0}
    assert all(float(row["true_log_likelihood"]) > float(row["elbo"]) for row in rows)
