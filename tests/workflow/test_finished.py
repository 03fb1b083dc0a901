"""A tiny study that has been run to its end: everything is made, and a change asks for what depends on it, no more."""

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
import xarray as xr

from workspace import Workspace


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Workspace:
    """A tiny study that has been run to its end; tests read it."""
    space = Workspace(tmp_path_factory.mktemp("finished"))
    space.run()
    return space


@pytest.fixture
def copy(finished, workspace):
    """A finished study of one's own to change."""
    shutil.copytree(finished.folder / "results", workspace.folder / "results", copy_function=shutil.copy2)
    shutil.copytree(finished.folder / ".snakemake", workspace.folder / ".snakemake", copy_function=shutil.copy2)
    return workspace


def test_all_makes_everything(finished):
    made = {str(p.relative_to(finished.results)) for p in finished.results.rglob("*") if p.is_file()}
    figures = {
        f"figures/{n}.{s}" for n in ("traces_pca", "gap_by_model", "certificates") for s in ("pdf", "svg", "png", "txt")
    }
    logs = {"logs/train/vae0/pca/seed=0-2.log", "logs/collect.log", "benchmarks/train/vae1/pca/seed=0-2.tsv"}
    tables = {f"tables/{name}.{suffix}" for name in ("final", "subsets") for suffix in ("csv", "tex")}
    expected = {"traces.nc", "report.html", *tables, *figures, *logs}
    assert expected <= made
    assert not [name for name in made if "checkpoint" in name]
    assert finished.wanted() == {}


def test_the_tree_opens_without_our_package(finished):
    script = (
        "import sys, json, xarray as xr\n"
        f"tree = xr.open_datatree({str(finished.results / 'traces.nc')!r})\n"
        "assert not any(name.startswith('entropy_sums') for name in sys.modules)\n"
        "gap = tree['vae1']['gap']\n"
        "print(json.dumps([sorted(tree.children), list(gap.dims), gap.attrs['units'], gap.isel(step=-1).size]))"
    )
    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert json.loads(printed) == [["vae0", "vae1"], ["dataset", "seed", "step"], "nats per data point", 3]


def test_estimates_of_the_end_and_of_every_batch_arrive(finished):
    with xr.open_datatree(finished.results / "traces.nc", engine="netcdf4") as tree:
        sizes = dict(tree["vae1"].sizes)
        assert (sizes["batch"], sizes["subset"], sizes["estimate"]) == (40, 2, 10)
        for name in ("batch_elbo", "subset_entropy", "latent_spread"):
            assert tree["vae1"][name].notnull().all()
    assert "Estimates from few held-out points" in (finished.results / "report.html").read_text(encoding="utf-8")


def test_a_further_seed_trains_only_itself(copy):
    copy.study["axes"]["seed"] = {"count": 4}
    wanted = copy.wanted()
    assert wanted["train"] == {"vae0/pca/seed=3", "vae1/pca/seed=3"}
    assert "data" not in wanted
    assert "collect" in wanted


def test_a_learning_rate_axis(copy):
    """One line of YAML: a new dimension, a new facet, and only the new cells are trained."""
    before = xr.open_datatree(copy.results / "traces.nc")["vae1"]["elbo"].load()
    panels_before = (copy.results / "figures" / "traces_pca.svg").read_text().count('id="axes_')
    copy.study["axes"]["learning_rate"] = [1e-2, 3e-3]
    assert copy.wanted()["train"] == {f"{m}/pca/learning_rate=0.003,seed=0-2" for m in ("vae0", "vae1")}
    times = {p: p.stat().st_mtime_ns for p in copy.results.glob("runs/*/pca/seed=0-2.nc")}
    copy.run()
    assert times == {p: p.stat().st_mtime_ns for p in times}
    after = xr.open_datatree(copy.results / "traces.nc")["vae1"]["elbo"].load()
    assert after.dims == ("dataset", "seed", "learning_rate", "step")
    np.testing.assert_array_equal(after.sel(learning_rate=1e-2).transpose(*before.dims), before)
    assert (after.sel(learning_rate=3e-3).isel(step=-1) != before.isel(step=-1)).all()
    assert (copy.results / "figures" / "traces_pca.svg").read_text().count('id="axes_') > panels_before


def test_a_changed_setting_retrains_its_cells_only(copy):
    copy.study["overrides"] = [{"when": {"model": "vae1"}, "set": {"initial_std": 0.5}}]
    assert copy.wanted()["train"] == {"vae1/pca/seed=0-2"}


def test_new_figure_code_redraws_and_trains_nothing(copy):
    """Edits the code in a copy of the package that only this test's Snakemake sees."""
    import entropy_sums

    package = copy.folder / "code" / "entropy_sums"
    shutil.copytree(os.path.dirname(entropy_sums.__file__), package)
    with (package / "figures" / "style.py").open("a") as file:
        file.write("\nEDITED = True\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(copy.folder / "code"))
        wanted = copy.wanted()
    assert "figure" in wanted
    assert not {"data", "train", "collect"} & set(wanted)


def test_editing_a_rule_retrains_nothing(copy):
    (copy.folder / "workflow").unlink()
    shutil.copytree(os.path.join(os.path.dirname(__file__), "../../workflow"), copy.folder / "workflow")
    rule = copy.folder / "workflow" / "rules" / "train.smk"
    rule.write_text(rule.read_text().replace("entropy-sums train {params", "entropy-sums train  {params"))
    assert "train" not in copy.wanted()


def test_snakemake_report(finished):
    finished.run("--report", "snakemake-report.html")
    page = (finished.folder / "snakemake-report.html").read_text()
    for told in ("traces_pca", "entropy sum", "learning_rate"):
        assert told in page, told
