"""docs/add-a-model.md as a user walks it: its files written, its commands given."""

import csv
import json
import re
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from walk import Page
from workspace import Workspace

PAGE = Page("add-a-model.md")
(SNIPPET,) = PAGE.snippets


@pytest.fixture(scope="module")
def walked(tmp_path_factory):
    """The folder after the walk, and what each command printed."""
    folder = tmp_path_factory.mktemp("walk")
    return folder, PAGE.walk(folder)


def test_the_page_has_these_files_and_commands():
    names = ["laplace_vae.py", "laplace_vae_torch.py", "test_laplace_vae.py", "study.yaml"]
    assert list(PAGE.files) == [f"my_study/{name}" for name in names]
    assert [" ".join(command.split()[:2]) for command in PAGE.commands] == [
        "pytest my_study",
        "entropy-sums plan",
        "entropy-sums certify",
        "snakemake --configfile",
    ]


def test_certificate(walked):
    """The direction of the page, at machine precision."""
    folder, _ = walked
    with (folder / "results/laplace/tables/certificates.csv").open() as file:
        rows = {row["factor"]: row for row in csv.DictReader(file) if row["model"] == "laplace_vae"}
    assert {name: row["direction"] for name, row in rows.items()} == {
        "prior": "-1 · shift of latent_prior.log_scale",
        "observation": "-1 · shift of decoder.spread",
        "total": "-1 · shift of latent_prior.log_scale, -1 · shift of decoder.spread",
    }
    assert all(row["holds"] == "True" and float(row["residual"]) <= 1e-10 for row in rows.values())


def test_what_the_page_shows_is_what_is_printed(walked):
    """Numbers aside, as they are those of one machine."""
    _, printed = walked
    directions = [line for line in printed["entropy-sums"].splitlines() if line.startswith("laplace_vae")]
    shown = re.findall(r"^    (laplace_vae .*)$", PAGE.text, re.MULTILINE)
    assert list(map(without_numbers, shown)) == list(map(without_numbers, directions))


def without_numbers(line):
    return re.sub(r"\d\.\de[+-]\d\d", "#", line)


def test_traces_beside_ours(walked):
    folder, _ = walked
    with xr.open_datatree(folder / "results/laplace/traces.nc") as tree:
        assert sorted(tree.children) == ["laplacevae", "vae1"]
        configuration = json.loads(tree.attrs["configuration"])
        for group in tree.children.values():
            gap = group["gap"].transpose("step", ...).values
            assert np.isfinite(gap).all()
            assert np.abs(gap).max() > 3
            assert np.abs(gap[-1]).max() < 0.1
        assert np.isfinite(tree["laplacevae"]["directional_derivative"]).all()
    digest = configuration["plugins"]["laplace_vae.py"]
    for model, source in {"laplace_vae": digest, "vae1": None}.items():
        (path,) = (folder / "results/laplace/runs" / model).rglob("*.nc")
        with xr.open_dataset(path) as trace:
            runs = json.loads(trace.attrs["configuration"])
        assert [run["model"].get("source") for run in runs] == [source] * 4


def test_the_gap_is_the_derivative_along_its_direction(walked):
    folder, _ = walked
    options = {"cwd": folder, "capture_output": True, "text": True, "check": True}
    assert 0 < float(subprocess.run([sys.executable, "-c", SNIPPET], **options).stdout) < 1e-5


def test_figures_and_report_show_the_model(walked):
    folder, _ = walked
    figures = folder / "results/laplace/figures"
    for name in ("traces_pca_ring", "gap_by_model"):
        assert all((figures / f"{name}.{suffix}").stat().st_size for suffix in ("pdf", "svg", "png", "txt"))
        drawn = (figures / f"{name}.svg").read_text(encoding="utf-8")
        assert "Laplace VAE" in drawn
        assert "VAE-1" in drawn
    assert "Laplace VAE" in (folder / "results/laplace/report.html").read_text(encoding="utf-8")
    assert "Laplace VAE: prior" in (figures / "certificates.svg").read_text(encoding="utf-8")


def test_edited_code_trains_its_own_runs_only(walked):
    """An edit of the torch code asks for the runs of the plugin again; when it is undone, nothing is left to do."""
    folder, _ = walked
    code = folder / "my_study/laplace_vae_torch.py"
    command = ["snakemake", "--configfile", "my_study/study.yaml", "--dry-run"]
    options = {"cwd": folder, "env": Workspace.environment(), "capture_output": True, "text": True, "check": True}
    code.write_text(code.read_text(encoding="utf-8") + "\n# edited\n", encoding="utf-8")
    try:
        edited = subprocess.run(command, **options).stdout
    finally:
        code.write_text(PAGE.files["my_study/laplace_vae_torch.py"], encoding="utf-8")
    assert "job=laplace_vae/pca_ring/seed=0-3" in edited
    assert "job=vae1/" not in edited
    assert "rule collect:" in edited
    assert "Nothing to be done" in subprocess.run(command, **options).stdout
