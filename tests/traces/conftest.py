from math import prod
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from entropy_sums.job import header
from entropy_sums.quantities import BATCHES, LATENTS, QUANTITIES, SUBSETS
from entropy_sums.study.grid import Grid, Job, Run
from entropy_sums.study.schema import Study
from entropy_sums.traces.write import to_dataset, write

FACTORS = ["prior", "observation"]


def value(run: Run, name: str, step: int = 0, further: int = 0) -> float:
    """A number that belongs to one quantity of one run at one step, and to no other."""
    key = f"{run.configuration} {name} {step} {further}"
    return crc32(key.encode()) / 2**32


def steps_of(run: Run) -> list[int]:
    return [0, 1, 2, 4, *range(10, run.training.steps + 1, 10)]


def synthetic(job: Job, **changed):
    """A trace of `job` as training would write it, without training."""
    first = job.runs[0]
    asked = first.training.evaluation
    steps, sizes = steps_of(first), {"factor": len(FACTORS), "latent": first.model_settings.latent_dim}
    sizes |= {"subset": len(asked.subset_sizes), "estimate": asked.subset_estimates, "batch": first.training.steps}

    def entry(run, name, step=0):
        shape = [sizes[dimension] for dimension in QUANTITIES[name].dimensions if dimension != "step"]
        return np.reshape([value(run, name, step, i) for i in range(prod(shape))], shape)

    arrays = {
        name: np.array([[entry(run, name, step) for run in job.runs] for step in steps])
        for name in ("elbo", "cross_entropy", "latent_entropy", "gap")
    }
    recorded = [*LATENTS, *(SUBSETS if asked.subset_sizes else ()), *(BATCHES if asked.batches else ())]
    once = {each.name: np.array([entry(run, each.name) for run in job.runs]) for each in recorded}
    others = {
        "per_step": {"wall_time": [0.1 * step for step in steps]},
        "diverged_at": np.full(len(job.runs), np.nan),
        "factors": FACTORS,
        "observed_dim": 10,
        "device": "cpu",
    }
    at_end = once | changed.pop("at_end", {})
    made_from = changed.pop("data_checksum", "0123")
    return to_dataset(header(job, made_from), arrays, at_end, steps, **{**others, **changed})


class Written:
    """A study whose traces lie on disk, and what stands in them."""

    factors = FACTORS
    value = staticmethod(value)
    steps_of = staticmethod(steps_of)
    synthetic = staticmethod(synthetic)

    def __init__(self, folder: Path, axes: dict, **others):
        self.grid = Grid(Study.model_validate({"study": "a", "axes": axes, "results": folder, **others}))
        self.jobs = list(self.grid.jobs.values())
        for job in self.jobs:
            write(synthetic(job), self.path(job))

    def path(self, job: Job) -> Path:
        return self.grid.trace_path(job.name)


@pytest.fixture
def written(tmp_path):
    """A function from axes (and other keys of a study file) to a study whose synthetic traces lie on disk."""
    return lambda axes, **others: Written(tmp_path, axes, **others)
