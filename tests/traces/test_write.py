"""The file of one job: labelled, complete, never half there."""

import json

import numpy as np
import pytest
import xarray as xr

from entropy_sums.settings import PROTOCOL
from entropy_sums.traces.write import FORMAT, write

AXES = {
    "model": ["vae1"],
    "dataset": ["pca"],
    "learning_rate": [2e-3, 3e-3],
    "activation": ["tanh"],
    "batch_size": ["full"],
    "seed": [0, 5],
}


def test_a_trace_survives_the_file(written):
    study = written(AXES)
    (job,) = study.jobs
    with xr.open_dataset(study.path(job), engine="netcdf4") as file:
        dataset = file.load()
    assert dataset["gap"].dims == ("replica", "step")
    assert dataset["cross_entropy"].dims == ("replica", "step", "factor")
    assert dataset["latent_entropy"].dims == ("replica", "step", "latent")
    for replica, run in enumerate(job.runs):
        for i, step in enumerate(dataset["step"].values):
            assert dataset["gap"].values[replica, i] == study.value(run, "gap", step)
            assert dataset["cross_entropy"].values[replica, i, 1] == study.value(run, "cross_entropy", step, 1)
        coordinates = {axis: dataset[axis].values[replica].item() for axis in run.coordinates}
        assert coordinates == run.coordinates
    assert list(dataset["factor"].values) == ["prior", "observation"]


def test_everything_has_a_meaning_a_unit_and_its_origin(written):
    study = written(AXES)
    (job,) = study.jobs
    with xr.open_dataset(study.path(job), engine="netcdf4") as dataset:
        for name in [*dataset.data_vars, "step"]:
            assert dataset[name].attrs.keys() >= {"long_name", "units"}, name
        assert dataset["elbo"].attrs["units"] == "nats per data point"
        attrs = dataset.attrs
        runs = list(dataset["run"].values)
    assert (attrs["format"], attrs["job"], attrs["identity"]) == (FORMAT, job.name, job.identity)
    assert (attrs["data_checksum"], attrs["protocol"], attrs["device"]) == ("0123", PROTOCOL, "cpu")
    assert json.loads(attrs["configuration"]) == [run.configuration for run in job.runs]
    assert json.loads(attrs["versions"]).keys() >= {"python", "torch", "numpy", "entropy-sums", "mkl"}
    assert runs == [run.identity("0123") for run in job.runs]


def test_a_failed_write_leaves_the_old_file(written, monkeypatch):
    study = written(AXES)
    path = study.path(study.jobs[0])
    before = path.read_bytes()

    def full(*_, **__):
        raise OSError("no space left on device")

    monkeypatch.setattr(xr.Dataset, "to_netcdf", full)
    with pytest.raises(OSError, match="no space left"):
        write(xr.Dataset({"a": ("x", np.zeros(3))}), path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
