"""L-BFGS: a search up one function of all parameters of a replica."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from entropy_sums.models.base import Ability
from entropy_sums.training.optimizers.base import Optimizer

if TYPE_CHECKING:
    from torch import Tensor, nn

    from entropy_sums.bound import Bound
    from entropy_sums.training.settings import PhaseSettings

SMALLEST_CHANGE = 1e-11
"""Smallest change, in nats or as the length of a step, at which a run of L-BFGS ends."""


class LBFGS(Optimizer):
    """L-BFGS (Liu and Nocedal 1989), one run of which is a step."""

    name = "lbfgs"
    needs = frozenset({Ability.LANDSCAPE})
    full_batch = "compares values on the same points"
    reads = frozenset({"iterations", "history", "samples", "prior_weight"})

    @classmethod
    def passes(cls, phase: PhaseSettings) -> int:
        return 3 * phase.iterations

    def step(self, x: Tensor, noise: Tensor, step: int, watch: Callable[[Bound], None] | None = None) -> None:
        """Run L-BFGS for each replica by itself, as common step lengths would couple the replicas."""
        from entropy_sums.models.abilities import WithLandscape
        from entropy_sums.models.model import copies

        tensors = dict(self.model.named_parameters())
        for position in range(self.model.replicas):
            own = slice(position, position + 1)
            model = copies(self.model, 1, position)
            assert isinstance(model, WithLandscape), "checked before training"
            weight = None if self.prior_weight is None else self.prior_weight[own]
            climb(model, model.landscape(x, noise[own], weight), self.phase.iterations, self.phase.history)
            for name, parameter in model.named_parameters():
                if parameter.requires_grad:
                    tensors[name].data[own] = parameter.data


def climb(model: nn.Module, landscape: Callable[[], Tensor], iterations: int = 200, history: int = 200) -> None:
    """Run L-BFGS up a function of the parameters of a model with one replica, with strong Wolfe conditions.

    Args:
        iterations: largest number of iterations.
        history: number of updates from which the curvature is estimated.

    Example:
        >>> import torch
        >>> point = torch.nn.ParameterList([torch.tensor([3.0, -2.0])])
        >>> climb(point, lambda: -(point[0] ** 4).sum())
        >>> bool((point[0].abs() < 0.05).all())
        True
    """
    import torch

    optimizer = torch.optim.LBFGS(
        [parameter for parameter in model.parameters() if parameter.requires_grad],
        max_iter=iterations,
        history_size=history,
        # The gap is first order in the gradient: it still moves where the objective no longer does
        tolerance_change=SMALLEST_CHANGE,
        line_search_fn="strong_wolfe",
    )

    def closure() -> float:
        optimizer.zero_grad()
        loss = -landscape().sum()
        loss.backward()
        return loss.item()

    optimizer.step(closure)
