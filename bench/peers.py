"""Boltzmann machines and Gaussian mixtures beside scikit-learn's; README.md says how to read the rows.

Of 5,000 points with 784 dimensions. Machines: persistent chains, one Gibbs step and one update per batch of 100.
Mixtures: diagonal covariances, EM on all points, scikit-learn in fits of 20 steps. An epoch, or a step of EM, is one of
a single run: of a pack of eight, each is worth eight. Machines also stand beside a loop by hand, of that update alone.
"""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from sklearn.neural_network import BernoulliRBM

import by_hand
from bench import PROCESSES, Contender, Effort, best, measure, ratio, table, with_range
from entropy_sums.job import tune_process
from entropy_sums.models import MODELS
from entropy_sums.models.base import ModelSettings
from entropy_sums.training.pack import Pack
from entropy_sums.training.phase import Phase
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import PhaseSettings, TrainingSettings

RESULTS = Path(__file__).with_name("peers.md")
POINTS, DIM, BATCH, PACK = 5000, 784, 100, 8
RATE = 0.01
EM_STEPS = 20
DOUBLE, SINGLE, BY_HAND = "scikit-learn, float64", "scikit-learn, float32", "by hand, float32"
UNENDING = 10**9


@dataclass(frozen=True)
class Peer(ABC):
    """A model that both have, with so many hidden units or components."""

    latents: int

    work: ClassVar[str]
    """What is counted."""
    worth: ClassVar[float]
    """How much of it a step of ours is, of one run."""
    beside: ClassVar[dict[str, str]]
    """Others whom ours in float32 stands beside → how many times as fast it shall be."""

    @property
    def name(self) -> str:
        return f"{DIM}-{self.latents}"

    @abstractmethod
    def points(self) -> np.ndarray: ...

    @abstractmethod
    def ours(self) -> tuple[ModelSettings, PhaseSettings]: ...

    @abstractmethod
    def theirs(self, points: np.ndarray, seed: int) -> float:
        """One fit, begun afresh; how much work it is."""


class Machine(Peer):
    """A restricted Boltzmann machine."""

    work, worth = "epochs", BATCH / POINTS
    beside: ClassVar = {DOUBLE: "≥ 2.5 ×", SINGLE: "≥ 1.25 ×", BY_HAND: ""}

    def points(self) -> np.ndarray:
        return np.random.default_rng(0).random((POINTS, DIM)) < 0.5

    def ours(self) -> tuple[ModelSettings, PhaseSettings]:
        phase = PhaseSettings(steps=UNENDING, batch_size=BATCH, optimizer="sgd", learning_rate=RATE)
        return MODELS["rbm"](latent_dim=self.latents, gradient="pcd", chains=BATCH, centred=False), phase

    def theirs(self, points: np.ndarray, seed: int) -> float:
        BernoulliRBM(self.latents, learning_rate=RATE, batch_size=BATCH, n_iter=1, random_state=seed).fit(points)
        return 1.0


class Mixture(Peer):
    """A mixture of normals with diagonal covariances."""

    work, worth = "EM steps", 1.0
    beside: ClassVar = {DOUBLE: "", SINGLE: ""}

    def points(self) -> np.ndarray:
        return np.random.default_rng(0).random((POINTS, DIM))

    def ours(self) -> tuple[ModelSettings, PhaseSettings]:
        phase = PhaseSettings(steps=UNENDING, batch_size="full", optimizer="em")
        return MODELS["gaussian_mixture"](latent_dim=self.latents, covariance="diagonal"), phase

    def theirs(self, points: np.ndarray, seed: int) -> float:
        kind = {"covariance_type": "diag", "init_params": "random_from_data", "random_state": seed}
        mixture = GaussianMixture(self.latents, tol=0, max_iter=EM_STEPS, **kind).fit(points)
        assert mixture.n_iter_ == EM_STEPS
        return EM_STEPS


PEERS = (Machine(100), Machine(256), Mixture(20))


def _ours(peer: Peer, seed: int, precision: str) -> Iterator[float]:
    """One update of a pack after the other, by the code that trains a job."""
    tune_process(threads=1)
    settings, phase_settings = peer.ours()
    training = TrainingSettings.model_validate(
        {"phases": (phase_settings,), "precision": precision, "evaluation": {"certificate": False}}
    )
    points = peer.points().astype(precision)
    pack = Pack([Replica(PACK * seed + r, settings, training) for r in range(PACK)], points, points[:BATCH])
    phase = Phase(pack.data, pack.model, pack.replicas, position=0, start=0)
    for step in count():
        phase.update(step)
        yield PACK * peer.worth


def _scikit_learn(peer: Peer, seed: int, precision: str) -> Iterator[float]:
    warnings.simplefilter("ignore", ConvergenceWarning)
    points = peer.points().astype(precision)
    while True:
        yield peer.theirs(points, seed)


def ours_single(peer: Peer, seed: int) -> Iterator[float]:
    return _ours(peer, seed, "float32")


def ours_double(peer: Peer, seed: int) -> Iterator[float]:
    return _ours(peer, seed, "float64")


def scikit_learn_single(peer: Peer, seed: int) -> Iterator[float]:
    return _scikit_learn(peer, seed, "float32")


def scikit_learn_double(peer: Peer, seed: int) -> Iterator[float]:
    return _scikit_learn(peer, seed, "float64")


def by_hand_single(peer: Peer, seed: int) -> Iterator[float]:
    tune_process(threads=1)
    return by_hand.epochs(torch.from_numpy(peer.points().astype("float32")), peer.latents, BATCH, PACK, RATE)


OURS = Contender("peers:ours_single", threads=1)
OTHERS = {
    "ours, float64": Contender("peers:ours_double", threads=1),
    DOUBLE: Contender("peers:scikit_learn_double", threads=None),
    SINGLE: Contender("peers:scikit_learn_single", threads=None),
    BY_HAND: Contender("peers:by_hand_single", threads=1),
}


def rows(effort: Effort) -> Iterable[Sequence[str]]:
    """The rows of the table."""
    for peer in PEERS:
        part = type(peer).__name__.lower()
        others = {title: OTHERS[title] for title in ("ours, float64", *peer.beside)}
        rates = measure(peer, (OURS, *others.values()), effort)
        for title, contender in {"ours, float32": OURS, **others}.items():
            speed = (with_range(rates[contender][n]) for n in PROCESSES)
            yield part, peer.name, f"{title}, {peer.work} per second", *speed, "", ""
        for title, goal in peer.beside.items():
            other = rates[others[title]]
            same = (with_range(ratio(rates[OURS][n], other[n]), "×") for n in PROCESSES)
            both = with_range(ratio(best(rates[OURS]), best(other)), "×")
            yield part, peer.name, f"ours, float32 / {title}", *same, both, goal


if __name__ == "__main__":
    table(__doc__, "Beside scikit-learn", rows, RESULTS)
