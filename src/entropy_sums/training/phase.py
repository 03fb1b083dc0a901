"""One phase of training: its batches and its optimiser."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from entropy_sums.layers import Dropout, drawing
from entropy_sums.models.abilities import Maximising
from entropy_sums.models.model import DirectedModel, Model, copies
from entropy_sums.training.batches import Batches
from entropy_sums.training.minibatches import Minibatches
from entropy_sums.training.optimizers.lbfgs import climb
from entropy_sums.training.optimizers.packed import PackedOptimizer
from entropy_sums.training.randomness import Stream, generator
from entropy_sums.training.schedules import SCHEDULES
from entropy_sums.training.trace import Replica


class Phase:
    """A phase that is under way: its batches and its optimiser, which starts afresh.

    Args:
        data: training points `(N, D)`.
        model: is trained in place.
        replicas: settings of each replica of the model.
        position: number of the phase, counted from 0.
        start: optimiser step at which it begins.
        minibatches: keeps the bound of every minibatch; None does without.
    """

    def __init__(
        self,
        data: Tensor,
        model: Model,
        replicas: Sequence[Replica],
        position: int,
        start: int,
        minibatches: Minibatches | None = None,
    ) -> None:
        self.start, self.settings = start, replicas[0].training.phases[position]
        self._model, self._minibatches = model, minibatches
        self._position, self._seeds = position, [replica.seed for replica in replicas]
        self.batches = Batches(data, self._seeds, model.noise_dim, position, self.settings)
        each = [replica.training.phases[position] for replica in replicas]
        self.optimizer = PackedOptimizer(
            self.settings.optimizer,
            [p for p in model.parameters() if p.requires_grad],
            [settings.learning_rate for settings in each],
            [settings.weight_decay for settings in each],
            self.settings.second_moment_decay,
        )
        weights = [settings.prior_weight for settings in each]
        weighted = any(weight != 1 for weight in weights)
        self.prior_weight = data.new_tensor(weights, dtype=torch.float64) if weighted else None
        self._factor = SCHEDULES[self.settings.schedule]
        self._dropouts = [m for m in model.modules() if isinstance(m, Dropout) and m.rate.any()]

    def update(self, step: int) -> None:
        """One step up the objective of every replica."""
        x, noise = self.batches(step - self.start)
        STEPS.get(self.settings.optimizer, Phase._ascend)(self, x, noise, step - self.start)
        self._model.constrain()
        if isinstance(self._model, DirectedModel):
            self._model.settle(x, self.prior_weight)

    def _maximise(self, x: Tensor, noise: Tensor, step: int) -> None:
        assert isinstance(self._model, Maximising), "checked before training"
        self._model.maximise(x)

    def _climb(self, x: Tensor, noise: Tensor, step: int) -> None:
        """A run of L-BFGS for each replica by itself, as the lengths of its steps would tie them to each other."""
        tensors = dict(self._model.named_parameters())
        for position in range(self._model.replicas):
            own = slice(position, position + 1)
            model = copies(self._model, 1, position)
            assert isinstance(model, DirectedModel), "checked before training"
            learned = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
            weight = None if self.prior_weight is None else self.prior_weight[own]
            climb(model, model.landscape(x, noise[own], weight), self.settings)
            for name in learned:
                tensors[name].data[own] = model.get_parameter(name).data

    def _ascend(self, x: Tensor, noise: Tensor, step: int) -> None:
        model = self._model
        with drawing(self._dropouts, self._generators(step) if self._dropouts else ()):
            if self._minibatches is not None:
                bound = model.bound(x, noise)
                self._minibatches.keep(self.start + step, bound)
                loss = -bound.elbo.sum()
            elif self.prior_weight is None:
                loss = -model.objective(x, noise).sum()
            else:
                assert isinstance(model, DirectedModel), "checked before training"
                loss = -model.landscape(x, noise, self.prior_weight)().sum()
        loss.backward()
        self.optimizer.step(self._factor(step / self.settings.steps))

    def _generators(self, step: int) -> list[torch.Generator]:
        device = self.batches.data.device
        return [generator(seed, Stream.DROPOUT, self._position, step, device=device) for seed in self._seeds]


STEPS = {"em": Phase._maximise, "lbfgs": Phase._climb}
"""Optimiser → its step, where that is no update with a gradient."""
