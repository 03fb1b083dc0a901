"""Collecting: every number in its cell, and no file that does not belong."""

import json
import subprocess
import sys

import h5py
import numpy as np
import pytest
import xarray as xr

from entropy_sums import collect as collecting
from entropy_sums import terminal
from entropy_sums.analysis import cells, names
from entropy_sums.collect import collect, write
from entropy_sums.figures import style
from entropy_sums.study.grid import Grid
from entropy_sums.study.schema import read
from entropy_sums.traces.read import TraceError
from entropy_sums.traces.write import write as write_trace

AXES = {"model": ["vae1"], "dataset": ["pca", "digits"], "latent_dim": [2, 4], "seed": {"count": 3}}


def missing(tree):
    """Groups and cells without a trace."""
    for name, node in tree.children.items():
        run = node.to_dataset()["run"]
        for index in np.argwhere(run.values == ""):
            cell = {axis: run[axis].values[i] for axis, i in zip(run.dims, index, strict=True)}
            yield f"{name}: " + ", ".join(f"{axis}={value}" for axis, value in cell.items())


def collected(study, path):
    write(collect(study.grid, study.jobs), path)
    with xr.open_datatree(path, engine="netcdf4") as tree:
        return tree.load()


def check(study, tree):
    """Every number of every run stands in its cell."""
    for run in study.grid.runs:
        group = tree[run.model.replace("_", "")].to_dataset()
        cell = group.sel(
            {axis: str(v) if group[axis].dtype.kind in "OUT" else v for axis, v in run.coordinates.items()}
        )
        assert cell["run"].item() == run.identity("0123")
        steps = study.steps_of(run)
        for name in ("elbo", "gap"):
            found = cell[name].sel(step=steps).values
            assert found.tolist() == [study.value(run, name, step) for step in steps]
            assert cell[name].notnull().sum() == len(steps)
        for i, factor in enumerate(study.factors):
            found = cell["cross_entropy"].sel(step=steps, factor=factor).values
            assert found.tolist() == [study.value(run, "cross_entropy", step, i) for step in steps]
        size = run.model_settings.latent_dim
        assert cell["latent_entropy"].sel(step=steps).values[:, :size].tolist() == [
            [study.value(run, "latent_entropy", step, i) for i in range(size)] for step in steps
        ]
        assert cell["latent_entropy"].notnull().sum() == len(steps) * size


def test_what_is_recorded_once_stands_in_its_cell(written, tmp_path):
    """Batches of runs of different lengths, estimates from subsets, moments of latents of different numbers."""
    axes = {**AXES, "dataset": ["pca"], "steps": [25, 60]}
    evaluation = {"batches": True, "subset_sizes": [10, 100], "subset_estimates": 3}
    study = written(axes, training={"evaluation": evaluation})
    tree = collected(study, tmp_path / "traces.nc")
    check(study, tree)
    group = tree["vae1"].to_dataset()
    assert group["subset"].values.tolist() == [10, 100]
    assert group["subset_entropy"].dims[-3:] == ("subset", "estimate", "factor")
    for run in study.grid.runs:
        cell, latents = group.sel(run.coordinates), run.model_settings.latent_dim
        sizes = {"batch_elbo": run.training.steps, "latent_spread": latents, "subset_elbo": 6, "subset_entropy": 12}
        for name, size in sizes.items():
            numbers = cell[name].values.ravel()
            assert numbers[:size].tolist() == [study.value(run, name, 0, i) for i in range(size)]
            assert np.isnan(numbers[size:]).all()
    assert group.sizes["batch"] == 60


def test_settings_of_data_and_training_go_along(written, tmp_path):
    tree = collected(written({**AXES, "noise": [0.1, 0.2], "steps": [20, 30]}), tmp_path / "traces.nc")
    data, training = (json.loads(tree["vae1"].attrs[name]) for name in ("data", "training"))
    assert (data["pca"]["noise"], data["pca"]["dim"]) == ("varied", 10)
    assert training["digits"]["phases"][0]["steps"] == "varied"
    assert data["digits"]["data_seed"] == 0


STUDIES = {
    "one run": ({"model": ["vae1"], "dataset": ["pca"], "seed": [7]}, {}),
    "several packs per cell": ({**AXES, "seed": {"count": 7}}, {"pack": {"size": 3}}),
    "packed axes": ({**AXES, "learning_rate": [1e-2, 1e-3], "initial_std": [0.5, 1.0]}, {"pack": {"size": 4}}),
    "string axis": ({**AXES, "activation": ["tanh", "relu"]}, {}),
    "mixed axis": ({**AXES, "batch_size": [100, "full"]}, {}),
    "boolean axis": ({**AXES, "dataset": ["digits"], "dequantise": [True, False]}, {}),
    "steps as an axis": ({**AXES, "steps": [25, 60]}, {}),
    "values off their order": ({**AXES, "latent_dim": [4, 2], "seed": [5, 1]}, {}),
    "axes of some models": (
        {**AXES, "model": ["linear_vae", "vae0"], "encoder_width": [20, 50], "decoder_std": [1.0, 0.5]},
        {},
    ),
    "seed first": ({"seed": [0, 1], "latent_dim": [2, 4], "dataset": ["pca"], "model": ["vae1"]}, {}),
}


@pytest.mark.parametrize(("axes", "others"), STUDIES.values(), ids=STUDIES)
def test_every_number_stands_in_its_cell(written, tmp_path, axes, others):
    study = written(axes, settings={"steps": 40}, **others)
    tree = collected(study, tmp_path / "traces.nc")
    check(study, tree)
    assert list(missing(tree)) == []
    for model in study.grid.study.axes["model"]:
        group = tree[model.replace("_", "")]
        dims = study.grid.dimensions(model)
        assert group["gap"].dims == (*dims, "step")
        assert group["entropy" if "entropy" in group else "cross_entropy"].dims == (*dims, "step", "factor")
        assert group["latent_entropy"].dims == (*dims, "step", "latent")
        assert json.loads(group.attrs["axes"]) == list(dims)
        for axis, values in dims.items():
            mixed = any(isinstance(v, str) for v in values)
            assert group[axis].values.tolist() == ([str(v) for v in values] if mixed else values)


def test_training_settings_that_differ_between_runs_are_said_to_vary(written, tmp_path):
    study = written(
        {**AXES, "learning_rate": [1e-2, 1e-3]},
        overrides=[{"when": {"dataset": "pca", "latent_dim": 4}, "set": {"batch_size": 50}}],
    )
    training = json.loads(collected(study, tmp_path / "traces.nc")["vae1"].attrs["training"])
    (pca,), (digits,) = training["pca"]["phases"], training["digits"]["phases"]
    assert (pca["learning_rate"], pca["batch_size"], pca["schedule"]) == ("varied", "varied", "constant")
    assert (digits["learning_rate"], digits["batch_size"]) == ("varied", 100)


def test_shorter_runs_and_smaller_latents_are_padded_with_nan(written, tmp_path):
    study = written({**AXES, "steps": [20, 50]})
    group = collected(study, tmp_path / "traces.nc")["vae1"]
    assert group["step"].values.tolist() == [0, 1, 2, 4, 10, 20, 30, 40, 50]
    assert group["gap"].sel(steps=20, step=[30, 40, 50]).isnull().all()
    assert group["gap"].sel(steps=50).notnull().all()
    assert group["latent_entropy"].sel(latent_dim=2).isel(latent=[2, 3]).isnull().all()
    assert group["latent_entropy"].sel(latent_dim=4, steps=50).notnull().all()


def test_weights_of_the_end_stand_at_their_latents_and_pixels(written):
    """Padded where another model of the group has more; without a step."""
    axes = {"model": ["sparse_coding"], "dataset": ["pca"], "latent_dim": [2, 3], "seed": [0, 1]}
    study, weights = written(axes), {}
    for job in study.jobs:
        latents = job.runs[0].model_settings.latent_dim
        weights[latents] = np.random.default_rng(latents).normal(size=(2, latents, 4))
        at_end = {"weights": weights[latents], "gini": np.array([0.1, 0.2]) * latents}
        write_trace(study.synthetic(job, at_end=at_end), study.grid.trace_path(job.name))
    group = collect(study.grid, study.jobs)["sparsecoding"]
    assert group["weights"].sizes == {"dataset": 1, "latent_dim": 2, "seed": 2, "latent": 3, "pixel": 4}
    for latents, values in weights.items():
        found = group["weights"].sel(dataset="pca", latent_dim=latents).transpose("seed", "latent", "pixel")
        np.testing.assert_array_equal(found[:, :latents], values)
        assert found[:, latents:].isnull().all()
        np.testing.assert_allclose(group["gini"].sel(dataset="pca", latent_dim=latents), [0.1 * latents, 0.2 * latents])


def test_a_run_without_the_setting_of_an_axis_stands_at_all_its_values(written, tmp_path):
    study = written({**AXES, "true_latent_dim": [1, 2, 3]}, settings={"steps": 20})
    group = collected(study, tmp_path / "traces.nc")["vae1"]
    assert len(study.grid.runs) == 2 * 3 * (3 + 1)
    for name in ("run", "gap", "cross_entropy", "latent_entropy"):
        digits, pca = (group[name].sel(dataset=dataset) for dataset in ("digits", "pca"))
        assert (digits == digits.isel(true_latent_dim=0)).where(digits.notnull(), True).all()
        assert not (pca == pca.isel(true_latent_dim=0)).isel(true_latent_dim=1).any()
    assert list(missing(collected(study, tmp_path / "again.nc"))) == []


def test_cells_without_a_trace_are_named_and_nan(written, tmp_path):
    study = written({**AXES, "latent_dim": [2, 4]}, exclude=[{"dataset": "digits", "latent_dim": 2}])
    study.jobs = [job for job in study.jobs if job.name != "vae1/pca/latent_dim=4/seed=0-2"]
    tree = collected(study, tmp_path / "traces.nc")
    empty = [("pca", 4), ("digits", 2)]
    assert list(missing(tree)) == [f"vae1: dataset={d}, latent_dim={h}, seed={s}" for d, h in empty for s in range(3)]
    for dataset, latent_dim in empty:
        assert tree["vae1"]["gap"].sel(dataset=dataset, latent_dim=latent_dim).isnull().all()
        assert tree["vae1"]["diverged_at"].sel(dataset=dataset, latent_dim=latent_dim).isnull().all()
        planned = float(dataset == "pca")
        assert (tree["vae1"]["planned"].sel(dataset=dataset, latent_dim=latent_dim) == planned).all()
    assert tree["vae1"]["gap"].sel(dataset="pca", latent_dim=2).notnull().all()


def test_a_union_of_blocks_has_the_axes_of_all_of_them(written, tmp_path):
    blocks = [{"model": "vae1", "latent_dim": 4}, {"vary": {"beta": [0.5]}}, {"model": "vae0"}]
    study = written({"model": ["vae1"], "dataset": ["pca"], "seed": {"count": 3}}, grids=blocks)
    study.jobs = [job for job in study.jobs if not job.name.startswith("vae0/")]
    tree = collected(study, tmp_path / "traces.nc")
    planned = tree["vae1"]["planned"].isel(dataset=0, seed=0)
    assert {dim: planned[dim].values.tolist() for dim in planned.dims} == {"latent_dim": [4, 2], "beta": [1.0, 0.5]}
    assert planned.values.tolist() == [[1, 0], [1, 1]]
    assert tree["vae1"]["gap"].isel(dataset=0, seed=0, step=0).notnull().values.tolist() == [
        [True, False],
        [True, True],
    ]
    assert cells.absent(tree) == ["vae0"]


def test_a_model_without_any_trace_has_no_group(written, tmp_path):
    study = written({**AXES, "model": ["vae0", "vae1"]})
    study.jobs = [job for job in study.jobs if job.name.startswith("vae1/")]
    assert list(collected(study, tmp_path / "traces.nc").children) == ["vae1"]


def test_plain_xarray_opens_the_tree_without_this_package(written, tmp_path):
    axes = {**AXES, "model": ["linear_vae", "vae1"], "learning_rate": [1e-3, 1e-2]}
    study = written(axes, settings={"steps": 40})
    write(collect(study.grid, study.jobs), tmp_path / "traces.nc")
    code = (
        "import sys, json, xarray as xr\n"
        f"tree = xr.open_datatree({str(tmp_path / 'traces.nc')!r})\n"
        "gap = tree['vae1']['gap'].sel(dataset='digits', latent_dim=4, learning_rate=0.01)\n"
        "assert 'entropy_sums' not in sys.modules\n"
        "print(json.dumps([sorted(tree.children), list(tree['vae1']['gap'].sizes.items()), "
        "gap.isel(step=-1).median('seed').item()]))"
    )
    out = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert out.stderr == ""
    groups, sizes, median = json.loads(out.stdout)
    assert groups == ["linearvae", "vae1"]
    assert sizes == [["dataset", 2], ["latent_dim", 2], ["seed", 3], ["learning_rate", 2], ["step", 8]]
    chosen = {"dataset": "digits", "latent_dim": 4, "learning_rate": 0.01}
    runs = [r for r in study.grid.runs if r.model == "vae1" and chosen.items() <= r.coordinates.items()]
    assert median == np.median([study.value(run, "gap", 40) for run in runs])


def test_the_tree_says_where_it_comes_from(written, tmp_path):
    study = written(AXES, settings={"steps": 20})
    tree = collected(study, tmp_path / "traces.nc")
    configuration = json.loads(tree.attrs["configuration"])
    assert tree.attrs["study"] == "a"
    assert configuration["pack"] == {"size": 16}
    assert configuration["axes"]["latent_dim"] == [2, 4]
    assert json.loads(tree.attrs["versions"]).keys() >= {"torch", "xarray"}
    assert set(json.loads(tree.attrs["data_checksums"])) == {job.data for job in study.jobs}
    training = json.loads(tree["vae1"].attrs["training"])
    assert {dataset: t["phases"][0]["steps"] for dataset, t in training.items()} == {"pca": 20, "digits": 20}
    for name in [*tree["vae1"].data_vars, "step"]:
        assert tree["vae1"][name].attrs.keys() >= {"long_name", "units"}, name


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def spoil(path):
    """Change the last bit of one number."""
    with h5py.File(path) as file:
        place = file["gap"].id.get_offset()
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


DAMAGES = {
    "truncated": truncate,
    "spoiled": spoil,
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(4096)),
    "text": lambda path: path.write_text("step,elbo\n0,1\n"),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_named_and_refused(written, damage):
    study = written(AXES)
    path = study.path(study.jobs[1])
    damage(path)
    with pytest.raises(TraceError) as caught:
        collect(study.grid, study.jobs)
    assert str(caught.value).startswith(f"{path}: damaged or no NetCDF file (")
    assert str(caught.value).endswith("); delete it and train this job anew")


def test_a_foreign_file_is_named_and_refused(written):
    study = written(AXES)
    path = study.path(study.jobs[0])
    xr.Dataset({"elbo": ("step", np.zeros(3))}).to_netcdf(path, engine="netcdf4")
    with pytest.raises(TraceError, match=r"seed=0-2\.nc: not a trace of this software \(format None\); move it away"):
        collect(study.grid, study.jobs)


def test_a_stale_file_is_named_and_refused(written):
    study = written(AXES)
    job = study.jobs[0]
    changed = Grid(study.grid.study.model_copy(update={"settings": {"learning_rate": 0.1}}))
    message = r"seed=0-2\.nc: trace of another configuration \(job vae1/pca/seed=0-2, identity \w+; the study wants"
    with pytest.raises(TraceError, match=message + r" vae1/pca/seed=0-2, \w+\); delete it and train this job anew"):
        collect(changed, [changed.find(job.name)])


def test_a_file_of_another_job_is_named_and_refused(written):
    study = written(AXES)
    one, other = study.jobs[:2]
    study.path(other).replace(study.path(one))
    with pytest.raises(TraceError, match="trace of another configuration"):
        collect(study.grid, [one])


def test_other_runs_are_named_and_refused(written):
    study = written(AXES)
    job = study.jobs[0]
    trace = study.synthetic(job)
    trace["run"] = ("replica", ["0" * 16] * len(job.runs))
    write_trace(trace, study.path(job))
    with pytest.raises(TraceError, match=r"its runs are not those of job vae1/pca/seed=0-2; delete it and train"):
        collect(study.grid, [job])


def test_traces_of_other_data_are_named_and_refused(written):
    study = written(AXES)
    first, second = (job for job in study.jobs if job.runs[0].dataset == "pca")
    write_trace(study.synthetic(second, data_checksum="4567"), study.path(second))
    with pytest.raises(TraceError) as caught:
        collect(study.grid, study.jobs)
    message = f"{study.path(second)}: made from other data ({first.data}) than {study.path(first)}; delete the older"
    assert str(caught.value).startswith(message)


@pytest.fixture
def divided(monkeypatch):
    """As with thousands of files: several processes read them."""
    monkeypatch.setattr(collecting, "FILES_PER_PROCESS", 1)


def test_processes_change_nothing(written, divided):
    study = written({**AXES, "model": ["linear_vae", "vae1"], "seed": {"count": 5}}, pack={"size": 2})
    one, two = (collect(study.grid, study.jobs, processes) for processes in (1, 2))
    xr.testing.assert_identical(one, two)
    check(study, two)


def test_a_damaged_file_is_named_by_whichever_process_reads_it(written, divided):
    study = written({**AXES, "seed": {"count": 40}}, settings={"steps": 1}, pack={"size": 2})
    path = study.path(study.jobs[1])
    spoil(path)
    with pytest.raises(TraceError) as caught:
        collect(study.grid, study.jobs, 2)
    assert str(caught.value).startswith(f"{path}: damaged or no NetCDF file (")


def test_long_reading_says_how_far_it_is(written, monkeypatch, capsys):
    study = written(AXES)
    collect(study.grid, study.jobs)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(terminal, "SECONDS_BETWEEN_LINES", 0)
    collect(study.grid, study.jobs)
    assert capsys.readouterr().err.splitlines() == [f"traces read: {n}/4" for n in (1, 2, 3, 4)]


def test_a_terminal_shows_a_bar(written, monkeypatch, capsys):
    study = written(AXES)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    collect(study.grid, study.jobs)
    out, error = capsys.readouterr()
    assert out == ""
    assert "traces read" in error


def test_collecting_needs_no_torch(written, tmp_path):
    study = written(AXES)
    (tmp_path / "study.yaml").write_text(study.grid.study.model_dump_json())
    code = "import sys\nfrom entropy_sums.cli import main\nsys.exit(main(sys.argv[1:]) or 'torch' in sys.modules)\n"
    done = subprocess.run(
        [sys.executable, "-c", code, "collect", tmp_path / "study.yaml"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    check(study, xr.load_datatree(study.grid.study.folder / "traces.nc", engine="netcdf4"))


PLUGIN = """\
from entropy_sums.data.base import DatasetSettings, VectorSettings
from entropy_sums.models.base import Look
from entropy_sums.models.vae.settings import VAE1Settings


class WideVAE(VAE1Settings):
    label = "wide VAE"
    look = Look("#123456", "x")


class PlainVAE(VAE1Settings):
    pass


class Dice(VectorSettings):
    name = "dice"
    label = "Dice of Damm"
    source = "a casino"
    dim: int = 3

    def arrays(self, data_dir, generator):
        raise NotImplementedError


MODELS = {"wide_vae": WideVAE, "plain_vae": PlainVAE}
DATASETS = {"dice": Dice}
"""


def test_a_collected_file_has_the_labels_and_looks_of_plugins(written, tmp_path):
    """Who draws it may not have the plugins; what they do not say is not inherited from our models."""
    (tmp_path / "mine.py").write_text(PLUGIN)
    axes = "axes: {model: [vae1, wide_vae, plain_vae], dataset: [dice], seed: [0]}"
    (tmp_path / "study.yaml").write_text(f"study: b\nplugins: [mine.py]\n{axes}\nresults: {tmp_path}\n")
    grid, synthetic = Grid(read(tmp_path / "study.yaml")), written(AXES).synthetic
    for job in grid.jobs.values():
        write_trace(synthetic(job), grid.trace_path(job.name))
    write(collect(grid, grid.jobs.values()), tmp_path / "traces.nc")
    with xr.open_datatree(tmp_path / "traces.nc", engine="netcdf4") as file:
        tree = file.load()
    models = cells.models(tree)
    with names.known(names.shown_by(tree)):
        assert [names.readable(name) for name in (*models, "dice")] == ["VAE-1", "wide VAE", "plainvae", "Dice of Damm"]
        looks = style.model_looks(models)
    assert looks["widevae"] == ("#123456", "x")
    assert len(set(looks.values())) == 3
    assert names.readable("widevae") == "widevae"


def test_a_collected_file_without_plugins_says_nothing_of_them(written, tmp_path):
    assert "shown" not in collected(written(AXES), tmp_path / "traces.nc").attrs
