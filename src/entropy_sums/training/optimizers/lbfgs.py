"""L-BFGS: a search up one function of all parameters of a replica."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from entropy_sums.training.settings import PhaseSettings

SMALLEST_CHANGE = 1e-11
"""Nats, or length of a step, at which a run of L-BFGS ends."""


def climb(model: nn.Module, landscape: Callable[[], Tensor], settings: PhaseSettings) -> None:
    """One run of L-BFGS up a function of the parameters of a model with one replica, with strong Wolfe conditions.

    Source: Liu and Nocedal (Mathematical Programming 1989), as torch has it.

    Example:
        >>> point = nn.ParameterList([torch.tensor([3.0, -2.0])])
        >>> climb(point, lambda: -(point[0] ** 4).sum(), PhaseSettings(optimizer="lbfgs", batch_size="full"))
        >>> bool((point[0].abs() < 0.05).all())
        True
    """
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.LBFGS(
        parameters,
        max_iter=settings.iterations,
        history_size=settings.history,
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
