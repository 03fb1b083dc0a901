"""(e) A grid of short runs through the workflow, from the study file to the collected traces."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

ROOT = Path(__file__).parents[1]
NAME = "vae1 on digits"


def wall_time(runs: int, pack: int, steps: int) -> float:
    """Seconds that `snakemake` takes for so many seeds of VAE-1 on digits, `pack` of them per job.

    Raises:
        RuntimeError: the workflow failed; with the end of what it said.
    """
    study = {
        "study": "bench",
        "axes": {"model": ["vae1"], "dataset": ["digits"], "seed": {"count": runs}},
        "training": {"phases": [{"steps": steps}], "evaluation": {"every": steps}},
        "pack": {"size": pack},
    }
    with TemporaryDirectory() as folder:
        file = Path(folder, "study.yaml")
        file.write_text(yaml.safe_dump(study))
        command = ["snakemake", "--show-failed-logs", "--configfile", str(file), "--directory", folder]
        command += ["--", "results/bench/traces.nc"]
        paths = [str(Path(sys.executable).parent), os.environ["PATH"]]
        environment = {**os.environ, "PATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        started = time.perf_counter()
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
        elapsed = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
    return elapsed
