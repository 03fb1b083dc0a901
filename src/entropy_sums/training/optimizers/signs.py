"""Ascent along the signs of the gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entropy_sums.training.optimizers.gradient import Gradient, Group

if TYPE_CHECKING:
    from torch import Tensor


class Signs(Gradient):
    """Steps of one length along the sign of each gradient."""

    name = "signs"

    def update(self, group: Group, gradients: list[Tensor], learning_rate: float) -> None:
        for parameter, gradient in zip(group.parameters, gradients, strict=True):
            parameter.sub_(learning_rate * gradient.sign())
