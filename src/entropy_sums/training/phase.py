"""One phase of training: its batches and its optimiser."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from entropy_sums.bound import Bound
from entropy_sums.layers import Dropout, drawing
from entropy_sums.models.model import Model
from entropy_sums.training.batches import Batches
from entropy_sums.training.randomness import Purpose, generator
from entropy_sums.training.replica import Replica
from entropy_sums.training.state import State


class Phase:
    """Phase in progress: its batches and a new optimiser.

    Args:
        data: training points `(N, D)`.
        model: model that is trained in place.
        replicas: settings of each replica of the model.
        position: number of the phase, counted from 0.
        start: optimiser step at which the phase begins.
        watchers: functions called with the step and the bound of every minibatch, before the update.
    """

    def __init__(
        self,
        data: Tensor,
        model: Model,
        replicas: Sequence[Replica],
        position: int,
        start: int,
        watchers: Sequence[Callable[[int, Bound], None]] = (),
    ) -> None:
        each = [replica.training.phases[position] for replica in replicas]
        self.start, self.settings = start, each[0]
        self._model, self._watchers = model, watchers
        self._position, self._seeds = position, [replica.seed for replica in replicas]
        self.batches = Batches(data, self._seeds, model.noise_dim, position, self.settings)
        self.optimizer = self.settings.kind(model, each)
        self.state = State(model, self.optimizer)
        self._dropouts = [m for m in model.modules() if isinstance(m, Dropout) and m.rate.any()]

    def update(self, step: int) -> None:
        """Take one step up the objective of every replica."""
        within = step - self.start
        x, noise = self.batches(within)
        with drawing(self._dropouts, self._generators(within) if self._dropouts else ()):
            self.optimizer.step(x, noise, within, self._watching(step))
        self._model.constrain()
        self._model.settle(x, self.optimizer.prior_weight)

    def _watching(self, step: int) -> Callable[[Bound], None] | None:
        if not self._watchers:
            return None

        def watch(bound: Bound) -> None:
            for watcher in self._watchers:
                watcher(step, bound)

        return watch

    def _generators(self, step: int) -> list[torch.Generator]:
        device = self.batches.data.device
        return [generator(seed, Purpose.DROPOUT, self._position, step, device=device) for seed in self._seeds]
