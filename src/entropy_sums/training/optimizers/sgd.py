"""Stochastic gradient ascent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entropy_sums.training.optimizers.base import Decay
from entropy_sums.training.optimizers.gradient import Gradient, Group

if TYPE_CHECKING:
    from torch import Tensor


class SGD(Gradient):
    """Plain stochastic gradient ascent, without momentum."""

    name = "sgd"
    decay = Decay.PENALTY

    def update(self, group: Group, gradients: list[Tensor], learning_rate: float) -> None:
        from torch.optim.sgd import sgd

        sgd(
            group.parameters,
            gradients,
            [None] * len(gradients),
            fused=True,
            weight_decay=group.weight_decay,
            momentum=0.0,
            lr=learning_rate,
            dampening=0.0,
            nesterov=False,
            maximize=False,
        )
