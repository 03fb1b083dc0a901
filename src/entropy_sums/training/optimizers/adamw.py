"""Adam with weight decay apart from the gradient."""

from __future__ import annotations

from typing import TYPE_CHECKING

from entropy_sums.training.optimizers.base import Decay
from entropy_sums.training.optimizers.gradient import Gradient, Group, adaptive

if TYPE_CHECKING:
    from torch import Tensor


class AdamW(Gradient):
    """Adam with decoupled weight decay (Loshchilov and Hutter, ICLR 2019)."""

    name = "adamw"
    decay = Decay.DECOUPLED
    reads = Gradient.reads | {"second_moment_decay"}
    remembers = ("first", "second")

    def update(self, group: Group, gradients: list[Tensor], learning_rate: float) -> None:
        from torch.optim.adamw import adamw

        adaptive(adamw, group, gradients, learning_rate, self.phase.second_moment_decay)
