"""Benchmarks that use the package itself, which may change: that they still run."""

import subprocess
import sys

from workspace import ROOT


def test_synthetic_traces_can_be_collected():
    command = [sys.executable, ROOT / "bench" / "scale.py", "--quick", "--parts", "collect"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "| `collect` | 100 files, 8 runs × 29 steps each |" in done.stdout


def test_coverage_is_simulated():
    command = [sys.executable, ROOT / "bench" / "coverage.py", "--quick"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    kept = (ROOT / "bench" / "coverage.md").read_text(encoding="utf-8")
    headings = [line for line in done.stdout.splitlines() if line.startswith(("#", "| runs", "| interval"))]
    assert headings == [line for line in kept.splitlines() if line.startswith(("#", "| runs", "| interval"))]
