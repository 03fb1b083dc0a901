import os
import shutil
import subprocess
import sys

import pytest
import torch

from entropy_sums import mkl

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not torch.backends.mkl.is_available(), reason="torch computes without MKL here"
)


@pytest.mark.skipif(shutil.which("cc") is None, reason="nothing to build the library with")
def test_a_job_binds_mkl_to_our_library(tmp_path):
    """Says the dynamic linker itself."""
    told = {"LD_DEBUG": "bindings", "LD_DEBUG_OUTPUT": str(tmp_path / "bindings")}
    command = [sys.executable, "-c", "import entropy_sums.training.run"]
    subprocess.run(command, env=os.environ | told, check=True)
    (file,) = tmp_path.iterdir()
    with file.open(encoding="utf-8", errors="replace") as lines:
        (bound,) = [line for line in lines if "mkl_serv_intel_cpu_true" in line]
    asking, _, answering = bound.partition(" to ")
    assert "torch" in asking
    assert str(mkl.LIBRARY) in answering


def test_without_the_library_nothing_is_loaded(monkeypatch, tmp_path):
    monkeypatch.setattr(mkl, "LIBRARY", tmp_path / "missing.so")
    mkl.unlock()
