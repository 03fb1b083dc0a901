"""The library that lets MKL use all instructions: bound by the job that trains, recorded, and switched off."""

import json
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig

import pytest
import torch
import xarray as xr

from entropy_sums import mkl

COMPILER = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]

needs_the_library = pytest.mark.skipif(
    sys.platform != "linux" or not torch.backends.mkl.is_available() or shutil.which(COMPILER) is None,
    reason="torch computes without MKL here, or nothing to build the library with",
)

STUDY = """\
study: a
plugins: [eager.py]
axes: {model: [eager], dataset: [pca], seed: [0]}
settings: {train: 120, test: 20}
training: {phases: [{steps: 1}], evaluation: {certificate: false}}
results: .
"""
PLUGIN = """\
import torch
from entropy_sums.models.settings import LinearVAESettings


class Eager(LinearVAESettings):
    pass


MODELS = {"eager": Eager}
"""


@needs_the_library
@pytest.mark.parametrize(("asked", "state"), [(None, mkl.UNLOCKED), ("1", mkl.UNLOCKED), ("0", mkl.SWITCHED_OFF)])
def test_a_job_binds_mkl_to_our_library_and_says_so(tmp_path, asked, state):
    """Says the dynamic linker itself; also where a plugin imports torch as soon as the study is read."""
    (tmp_path / "study.yaml").write_text(STUDY)
    (tmp_path / "eager.py").write_text(PLUGIN)
    environment = {name: value for name, value in os.environ.items() if name != mkl.VARIABLE}
    environment |= {"LD_DEBUG": "bindings", "LD_DEBUG_OUTPUT": str(tmp_path / "bindings")}
    environment |= {} if asked is None else {mkl.VARIABLE: asked}
    command = [sys.executable, "-m", "entropy_sums.cli", "train", "study.yaml", "eager/pca/seed=0"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    told = [file.read_text(encoding="utf-8", errors="replace") for file in tmp_path.glob("bindings.*")]
    (bound,) = [line for text in told for line in text.splitlines() if "mkl_serv_intel_cpu_true" in line]
    asking, _, answering = bound.partition(" to ")
    assert "torch" in asking
    assert (str(mkl.LIBRARY) in answering) == (state == mkl.UNLOCKED)
    with xr.open_dataset(tmp_path / "a/runs/eager/pca/seed=0.nc") as trace:
        assert json.loads(trace.attrs["versions"])["mkl"] == state


@needs_the_library
def test_it_is_loaded_by_what_trains_only():
    code = (
        "import sys\nfrom entropy_sums import mkl\nimport entropy_sums.study.grid, entropy_sums.cli\n"
        "assert mkl.state() == mkl.NOT_ASKED\n"
        "import torch\nmkl.unlock()\nassert mkl.state() == mkl.TOO_LATE\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture
def locked(monkeypatch):
    """As in a process that has not unlocked it."""
    monkeypatch.setattr(mkl, "_state", mkl.NOT_ASKED)
    monkeypatch.delenv(mkl.VARIABLE, raising=False)


def test_without_the_library_all_else_works(locked, monkeypatch, tmp_path):
    monkeypatch.setattr(mkl, "LIBRARY", tmp_path / "missing.so")
    mkl.unlock()
    assert mkl.state() == mkl.NOT_BUILT


@pytest.mark.parametrize("value", ["", "off", "true", "2"])
def test_another_value_of_the_variable_is_an_error_that_names_the_values(locked, monkeypatch, value):
    monkeypatch.setenv(mkl.VARIABLE, value)
    with pytest.raises(ValueError, match=rf"^{mkl.VARIABLE}={value}: write 1 .*, 0 for MKL as it comes$"):
        mkl.unlock()
    assert mkl.state() == mkl.NOT_ASKED
