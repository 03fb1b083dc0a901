"""A benchmark that writes files of the package itself, which may change: that it still runs."""

import subprocess
import sys

from workspace import ROOT


def test_synthetic_traces_can_be_collected():
    command = [sys.executable, ROOT / "bench" / "scale.py", "--quick", "--parts", "collect"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "| `collect` | 100 files, 8 runs × 29 steps each |" in done.stdout
