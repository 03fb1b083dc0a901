"""docs/add-a-figure.md as a user walks it: its files written, its commands given."""

import csv
import subprocess

import pytest

from walk import Page
from workspace import Workspace

PAGE = Page("add-a-figure.md")
RESULTS = "results/final_points"


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """The folder after the walk."""
    folder = tmp_path_factory.mktemp("walk")
    PAGE.walk(folder)
    return folder


def test_the_page_has_these_files_and_commands():
    names = ["final_points.py", "final_points_code.py", "study.yaml"]
    assert list(PAGE.files) == [f"my_study/{name}" for name in names]
    assert [[" ".join(line.split()[:2]) for line in command.splitlines()] for command in PAGE.commands] == [
        ["snakemake --configfile"],
        ["entropy-sums figure", "entropy-sums tables"],
    ]


@pytest.mark.parametrize("figures", [f"{RESULTS}/figures/final_points_pca", "my_study/draft"])
def test_the_figure_is_drawn(walked, figures):
    assert all((walked / f"{figures}.{suffix}").stat().st_size for suffix in ("pdf", "svg", "png"))
    assert "entropy sum (nats)" in (walked / f"{figures}.svg").read_text(encoding="utf-8")
    caption = (walked / f"{figures}.txt").read_text(encoding="utf-8")
    assert caption.startswith("ELBO against entropy sum at the end of training, a point per run. 3 runs per cell.")


@pytest.mark.parametrize("tables", [f"{RESULTS}/tables", "my_study/draft"])
def test_the_table_is_made(walked, tables):
    with (walked / tables / "largest_gaps.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["model"] for row in rows] == ["linearvae", "vae1"]
    assert all(0 < float(row["largest"]) < 100 for row in rows)
    assert (walked / tables / "largest_gaps.tex").exists()


def test_both_are_in_the_report(walked):
    report = (walked / RESULTS / "report.html").read_text(encoding="utf-8")
    assert "Largest gaps" in report
    assert "largest gap at the end of training, nats" in report
    assert "Final points: PCA" in report


def test_an_edit_draws_anew_and_trains_nothing(walked):
    code = walked / "my_study/final_points_code.py"
    code.write_text(code.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")
    command = ["snakemake", "--configfile", "my_study/study.yaml", "--dry-run"]
    options = {"cwd": walked, "env": Workspace.environment(), "capture_output": True, "text": True, "check": True}
    wanted = subprocess.run(command, **options).stdout
    assert "rule figure:" in wanted
    assert "rule table:" in wanted
    assert not {"train", "collect", "certify", "data"} & {
        line.split()[1].rstrip(":") for line in wanted.splitlines() if line.startswith(("rule ", "localrule "))
    }
