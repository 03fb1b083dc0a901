import os
import shlex
import shutil
import subprocess
import sys
import sysconfig

import pytest
import torch

from entropy_sums import mkl

COMPILER = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")[0]


@pytest.mark.skipif(
    sys.platform != "linux" or not torch.backends.mkl.is_available(), reason="torch computes without MKL here"
)
@pytest.mark.skipif(shutil.which(COMPILER) is None, reason="nothing to build the library with")
def test_a_job_binds_mkl_to_our_library(tmp_path):
    """Says the dynamic linker itself."""
    asked = {"LD_DEBUG": "bindings", "LD_DEBUG_OUTPUT": str(tmp_path / "bindings")}
    command = [sys.executable, "-c", "import entropy_sums.job"]
    subprocess.run(command, env=os.environ | asked, check=True)
    told = [file.read_text(encoding="utf-8", errors="replace") for file in tmp_path.iterdir()]
    (bound,) = [line for text in told for line in text.splitlines() if "mkl_serv_intel_cpu_true" in line]
    asking, _, answering = bound.partition(" to ")
    assert "torch" in asking
    assert str(mkl.LIBRARY) in answering


def test_without_the_library_all_else_works(monkeypatch, tmp_path):
    monkeypatch.setattr(mkl, "LIBRARY", tmp_path / "missing.so")
    mkl.unlock()
