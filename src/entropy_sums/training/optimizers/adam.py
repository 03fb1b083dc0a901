"""Adam."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entropy_sums.training.optimizers.base import Decay
from entropy_sums.training.optimizers.gradient import Gradient, Group, adaptive

if TYPE_CHECKING:
    from torch import Tensor


class Adam(Gradient):
    """Adam, with a decay rate of 0.9 for the first moments (Kingma and Ba, ICLR 2015)."""

    name = "adam"
    decay = Decay.PENALTY
    reads = Gradient.reads | {"second_moment_decay"}
    remembers = ("first", "second")

    def update(self, group: Group, gradients: list[Tensor], learning_rate: float) -> None:
        from torch.optim.adam import adam

        adaptive(adam, group, gradients, learning_rate, self.phase.second_moment_decay)
