"""Epochs of packed restricted Boltzmann machines beside scikit-learn's BernoulliRBM; README.md says how to read rows.

Both follow persistent chains, one Gibbs step and one update per batch of 100; 5,000 random binary points of 784
dimensions. An epoch is one of a single run: of a pack of eight, each step is worth eight.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
from sklearn.neural_network import BernoulliRBM
from tabulate import tabulate

from bench import FULL, HEADERS, PROCESSES, QUICK, Contender, Effort, best, conditions, measure, ratio, spread
from entropy_sums.models.settings import RBMSettings
from entropy_sums.training.pack import Pack, Phase, Replica
from entropy_sums.training.run import tune_process
from entropy_sums.training.settings import PhaseSettings, TrainingSettings

POINTS, DIM, BATCH, PACK = 5000, 784, 100, 8
UNENDING = 10**9
OURS = Contender("rbm:ours", threads=1)
SKLEARN = Contender("rbm:scikit_learn", threads=None)


@dataclass(frozen=True)
class Machine:
    """What is trained.

    Attributes:
        hidden: hidden units.
        precision: of data and parameters.
        goal: how many times faster an epoch of ours shall be.
    """

    hidden: int
    precision: str
    goal: float

    @property
    def name(self) -> str:
        return f"{DIM}-{self.hidden}, {self.precision}"

    def points(self) -> np.ndarray:
        return (np.random.default_rng(0).random((POINTS, DIM)) < 0.5).astype(self.precision)


MACHINES = tuple(
    Machine(hidden, precision, goal)
    for hidden in (100, 256)
    for precision, goal in (("float64", 2.5), ("float32", 1.25))
)


def ours(machine: Machine, seed: int) -> Iterator[float]:
    """One update of a pack after the other, by the code that trains a job; yields epochs of single runs."""
    tune_process(threads=1)
    model = RBMSettings(latent_dim=machine.hidden, gradient="pcd", chains=BATCH, centred=False)
    phase_settings = PhaseSettings(steps=UNENDING, batch_size=BATCH, optimizer="sgd", learning_rate=0.01)
    training = TrainingSettings.model_validate(
        {"phases": (phase_settings,), "precision": machine.precision, "evaluation": {"certificate": False}}
    )
    points = machine.points()
    pack = Pack([Replica(PACK * seed + r, model, training) for r in range(PACK)], points, points[:BATCH])
    phase = Phase(pack, position=0, start=0)
    for step in count():
        phase.update(pack, step)
        yield PACK * BATCH / POINTS


def scikit_learn(machine: Machine, seed: int) -> Iterator[float]:
    """One epoch of a run after the other, each begun afresh, which takes about a hundredth of it; yields 1 for each."""
    points = machine.points()
    peer = BernoulliRBM(machine.hidden, learning_rate=0.01, batch_size=BATCH, n_iter=1, random_state=seed)
    while True:
        peer.fit(points)
        yield 1.0


def rows(effort: Effort) -> Iterable[Sequence[str]]:
    """The rows of the table."""
    for machine in MACHINES:
        rates = measure(machine, (OURS, SKLEARN), effort)
        for contender, title in ((OURS, "ours, packed"), (SKLEARN, "scikit-learn")):
            speed = (spread(rates[contender][n]) for n in PROCESSES)
            yield "rbm", machine.name, f"{title}, epochs per second", *speed, "", ""
        same = (spread(ratio(rates[OURS][n], rates[SKLEARN][n]), "×") for n in PROCESSES)
        both = spread(ratio(best(rates[OURS]), best(rates[SKLEARN])), "×")
        yield "rbm", machine.name, "ours / scikit-learn", *same, both, f"≥ {machine.goal} ×"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke run, its numbers mean nothing")
    head = conditions()
    print(head, tabulate(rows(QUICK if parser.parse_args().quick else FULL), HEADERS, tablefmt="pipe"), sep="\n\n")
