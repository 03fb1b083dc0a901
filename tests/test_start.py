"""What every job of a cluster imports before it begins stays light."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "scipy", "sklearn", "xarray", "netCDF4", "matplotlib", "rich")


def test_the_workflow_imports_of_this_package_what_is_light(tmp_path):
    """Snakemake itself imports pandas: what counts is what our modules would import without it."""
    command = [sys.executable, "-X", "importtime", "-m", "snakemake", "--dry-run", "--quiet", "all", "--forceall"]
    command += ["--configfile", str(ROOT / "config" / "config.yaml")]
    planned = subprocess.run([*command, "--directory", tmp_path], cwd=ROOT, capture_output=True, text=True)
    assert planned.returncode == 0, planned.stdout
    modules = re.findall(r"^import time: .* (\S+)$", planned.stderr, re.MULTILINE)
    assert not {"torch", "xarray"} & set(modules)
    ours = [module for module in modules if module.startswith("entropy_sums")]
    assert {"entropy_sums.study.grid", "entropy_sums.study.plan"} <= set(ours)
    code = f"import sys, {', '.join(ours)}\nprint(*(set({HEAVY}) & sys.modules.keys()))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""
