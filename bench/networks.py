"""The networks that are compared, and the work that training them takes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from entropy_sums.data import load
from entropy_sums.data.linear import PCA


@dataclass(frozen=True)
class Network:
    """Encoder and decoder with one hidden layer each, and how they are trained.

    Attributes:
        dim, width, latent_dim: sizes D, W, H of D-W-H-W-D.
        batch: points per optimiser step.
        steps_per_epoch: so many batches are all data.
        pack: replicas that our training does at once.
    """

    dim: int
    width: int
    latent_dim: int
    batch: int
    steps_per_epoch: int
    pack: int

    @property
    def name(self) -> str:
        return "-".join(map(str, (self.dim, self.width, self.latent_dim, self.width, self.dim)))

    @property
    def flop_per_step(self) -> int:
        """Multiplications and additions of one optimiser step of one run in its matrix products.

        Forward 2·in·out per weight matrix and point, backward twice that; no gradient of the data is needed.
        The encoder has two heads, mean and variance, hence 2·H outputs.
        """
        encoder, decoder = (self.dim, self.width, 2 * self.latent_dim), (self.latent_dim, self.width, self.dim)
        weights = sum(a * b for sizes in (encoder, decoder) for a, b in pairwise(sizes))
        return self.batch * 2 * (3 * weights - self.dim * self.width)

    def points(self) -> tuple[np.ndarray, np.ndarray]:
        """Training and held-out points."""
        train = self.batch * self.steps_per_epoch
        settings = PCA(dim=self.dim, true_latent_dim=self.latent_dim, train=train, test=self.batch)
        dataset = load(settings, Path())
        return dataset.train, dataset.test


NETWORKS = (
    Network(dim=64, width=128, latent_dim=16, batch=128, steps_per_epoch=100, pack=64),
    Network(dim=784, width=512, latent_dim=20, batch=100, steps_per_epoch=40, pack=8),
)
