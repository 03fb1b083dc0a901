"""Minibatches and posterior noise for every replica, drawn in blocks of steps."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from entropy_sums.draws import normal
from entropy_sums.training.randomness import Purpose, generator
from entropy_sums.training.settings import PhaseSettings

NOISE_PER_BLOCK = 2**18


class Batches:
    """Minibatch and noise of any step of a phase.

    Each replica shuffles the points anew in every epoch, or all replicas take the points in the given order. An
    incomplete last batch is left out. Each replica has its own noise. The size of a block depends on batch size, number
    of samples and latent size only, never on the pack: a replica sees the same numbers in every pack.

    Args:
        data: `(N, D)`.
        seeds: one per replica.
        noise_dim: number of standard normal numbers per posterior sample; 0 for models without sampling.
        phase: position of the phase in the training.
    """

    def __init__(self, data: Tensor, seeds: Sequence[int], noise_dim: int, phase: int, settings: PhaseSettings) -> None:
        self.data, self.seeds, self.noise_dim, self.phase = data, seeds, noise_dim, phase
        self.full, self.given = settings.batch_size == "full", settings.order == "given"
        self.points = len(data) if self.full else int(settings.batch_size)
        self.steps_per_epoch = len(data) // self.points
        self.rows = self.points * settings.samples
        self.block_steps = max(1, min(64, settings.steps, NOISE_PER_BLOCK // (self.rows * max(1, noise_dim))))
        self._noise = data.new_empty(len(seeds), self.block_steps, self.rows, noise_dim)
        self._order = torch.empty(len(seeds), len(data), dtype=torch.int64, device=data.device)
        self._block = self._epoch = -1

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Minibatch and noise `(replica, S·B, H)` of a step.

        The minibatch is `(replica, B, D)`, or `(B, D)` where all replicas see the same points.
        """
        block, within = divmod(step, self.block_steps)
        if block != self._block:
            self._draw_noise(block)
        return self._select(step), self._noise[:, within]

    def _select(self, step: int) -> Tensor:
        if self.full:
            return self.data
        epoch, position = divmod(step, self.steps_per_epoch)
        part = slice(position * self.points, (position + 1) * self.points)
        if self.given:
            return self.data[part]
        if epoch != self._epoch:
            self._shuffle(epoch)
        chosen = self._order[:, part]
        return self.data.index_select(0, chosen.flatten()).view(*chosen.shape, -1)

    def _draw_noise(self, block: int) -> None:
        for noise, seed in zip(self._noise, self.seeds, strict=True):
            normal(noise, generator(seed, Purpose.NOISE, self.phase, block, device=noise.device))
        self._block = block

    def _shuffle(self, epoch: int) -> None:
        for order, seed in zip(self._order, self.seeds, strict=True):
            source = generator(seed, Purpose.BATCHES, self.phase, epoch, device=order.device)
            torch.randperm(len(order), generator=source, out=order)
        self._epoch = epoch
