"""Posterior samples that meet the data in their mean, beside the same samples one by one; README.md explains.

Steps of figures 1a and 1b of Damm et al. (AISTATS 2023), batches of 2000 points, one run in a process.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np

from bench import PROCESSES, Contender, Effort, best, measure, ratio, table, with_range
from entropy_sums.distributions import Normal
from entropy_sums.job import tune_process
from entropy_sums.models import MODELS
from entropy_sums.models.vae.averages import NormalOfFeatures
from entropy_sums.training.pack import Pack
from entropy_sums.training.phase import Phase
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import PhaseSettings, TrainingSettings

RESULTS = Path(__file__).with_name("samples.md")
POINTS, BATCH = 4000, 2000
UNENDING = 10**9


@dataclass(frozen=True)
class Figure:
    """A model of a published figure, data dimensions and posterior samples per point."""

    model: str
    dim: int
    samples: int

    @property
    def name(self) -> str:
        return f"{self.model}, {self.dim} dimensions, {self.samples} samples"


FIGURES = (Figure("linear_vae", 10, 100), Figure("vae1", 784, 12), Figure("vae1", 784, 50))


def averaged(figure: Figure, seed: int) -> Iterator[int]:
    """One update after the other, by the code that trains a job."""
    tune_process(threads=1)
    phases = (PhaseSettings(steps=UNENDING, batch_size=BATCH, samples=figure.samples),)
    training = TrainingSettings.model_validate({"phases": phases, "evaluation": {"certificate": False}})
    points = np.random.default_rng(0).normal(size=(POINTS, figure.dim)).astype("float32")
    pack = Pack([Replica(seed, MODELS[figure.model](latent_dim=2), training)], points, points[:BATCH])
    phase = Phase(pack.data, pack.model, pack.replicas, position=0, start=0)
    for step in count():
        phase.update(step)
        yield 1


def one_by_one(figure: Figure, seed: int) -> Iterator[int]:
    """The same, all samples through the last layer."""
    NormalOfFeatures.mean_log_prob = Normal.mean_log_prob
    return averaged(figure, seed)


AVERAGED, ONE_BY_ONE = (Contender(f"samples:{name}", threads=1) for name in ("averaged", "one_by_one"))


def rows(effort: Effort) -> Iterable[Sequence[str]]:
    """The rows of the table."""
    for figure in FIGURES:
        rates = measure(figure, (AVERAGED, ONE_BY_ONE), effort)
        for title, contender in (("averaged", AVERAGED), ("one by one", ONE_BY_ONE)):
            speed = (with_range(rates[contender][n]) for n in PROCESSES)
            yield "samples", figure.name, f"{title}, steps per second", *speed, "", ""
        same = (with_range(ratio(rates[AVERAGED][n], rates[ONE_BY_ONE][n]), "×") for n in PROCESSES)
        both = with_range(ratio(best(rates[AVERAGED]), best(rates[ONE_BY_ONE])), "×")
        yield "samples", figure.name, "averaged / one by one", *same, both, ""


if __name__ == "__main__":
    table(__doc__, "Posterior samples", rows, RESULTS)
