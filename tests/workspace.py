"""A tiny study in a folder of its own, run by the real Snakemake with the real rules."""

import os
import re
import subprocess
import sys
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr
import yaml

ROOT = Path(__file__).parents[1]

TINY = {
    "study": "tiny",
    "axes": {"model": ["vae0", "vae1"], "dataset": ["pca"], "seed": {"count": 3}},
    "settings": {"train": 60, "test": 40, "encoder_width": 5, "decoder_width": 5, "initial_std": 0.3},
    "training": {
        "phases": [{"steps": 40, "learning_rate": 1e-2, "schedule": "cosine", "batch_size": 20}],
        "evaluation": {"every": 20, "samples": 2, "batches": True, "subset_sizes": [5, 15]},
    },
    "pack": {"size": 3},
    "figures": ["traces", "gap_by_model"],
}


def untimed(path: Path) -> xr.Dataset:
    """A trace but for the time that training took, and the checksum that covers it."""
    trace = xr.load_dataset(path).drop_vars("wall_time")
    del trace.attrs["checksum"]
    return trace


@dataclass
class Workspace:
    """The workflow in a folder of its own; `study` is changed and written by each test."""

    folder: Path
    study: dict = field(default_factory=lambda: deepcopy(TINY))

    def __post_init__(self) -> None:
        for name in ("Snakefile", "workflow", "profiles", "slurm", "config"):
            (self.folder / name).symlink_to(ROOT / name)

    @property
    def file(self) -> Path:
        return self.folder / "study.yaml"

    @property
    def results(self) -> Path:
        return self.folder / "results" / self.study["study"]

    @staticmethod
    def environment() -> dict[str, str]:
        """The environment of a shell in which the project is installed, one thread per process.

        Compiled sources are kept, as Python does unless a machine forbids it: each job imports them.
        """
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": ""}

    def read_from_a_file(self) -> None:
        """Data that the plan knows nothing of: 60 training and 20 held-out points."""
        np.save(self.folder / "mine.npy", np.random.default_rng(0).normal(size=(80, 3)))
        self.study["axes"]["dataset"] = ["array"]
        del self.study["settings"]["train"], self.study["settings"]["test"]
        self.study["settings"] |= {"path": "mine.npy", "test_fraction": 0.25}

    def write(self) -> None:
        """Write the study file."""
        self.file.write_text(yaml.safe_dump(self.study, sort_keys=False))

    def run(self, *arguments: str, check: bool = True) -> str:
        """Run Snakemake as a user does, one core, and return what it printed."""
        self.write()
        command = [sys.executable, "-m", "snakemake", "--configfile", "study.yaml", "--cores", "1", *arguments]
        options = {"cwd": self.folder, "env": self.environment(), "capture_output": True, "text": True}
        done = subprocess.run(command, **options, check=False)
        printed = done.stdout + done.stderr
        assert (done.returncode == 0) == check, printed
        return printed

    def wanted(self, *arguments: str) -> dict[str, set[str]]:
        """What Snakemake would run now: rule → job names or other wildcards."""
        printed = self.run("--dry-run", *arguments)
        jobs: dict[str, set[str]] = {}
        for rule, body in re.findall(r"^(?:local)?rule (\w+):\n((?:    .*\n)+)", printed, flags=re.MULTILINE):
            wildcards = re.search(r"^    wildcards: (.*)$", body, flags=re.MULTILINE)
            jobs.setdefault(rule, set()).add(wildcards[1].split("=", 1)[1] if wildcards else "")
        return jobs
