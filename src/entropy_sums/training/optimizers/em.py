"""Expectation maximisation."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from entropy_sums.models.base import Ability
from entropy_sums.training.optimizers.base import Optimizer

if TYPE_CHECKING:
    from torch import Tensor

    from entropy_sums.bound import Bound
    from entropy_sums.training.settings import PhaseSettings


class EM(Optimizer):
    """Expectation maximisation (Dempster, Laird and Rubin 1977)."""

    name = "em"
    needs = frozenset({Ability.MAXIMISE})
    full_batch = "forgets all points but those of its step"

    @classmethod
    def passes(cls, phase: PhaseSettings) -> int:
        return 1

    def step(self, x: Tensor, noise: Tensor, step: int, watch: Callable[[Bound], None] | None = None) -> None:
        from entropy_sums.models.abilities import Maximising

        assert isinstance(self.model, Maximising), "checked before training"
        self.model.maximise(x)
