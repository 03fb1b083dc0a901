"""Adam for a pack: torch's fused kernel, with a learning rate per replica."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

import torch
from torch import Tensor, nn


class PackedAdam:
    """torch.optim.Adam over parameters `(replica, …)`; replicas next to each other with one rate form a group.

    Moments are kept as whole tensors beside the parameters, groups are views of them, so that the state of a
    single replica can be read and written.
    """

    def __init__(
        self, parameters: Iterable[nn.Parameter], learning_rates: Sequence[float], second_moment_decay: float = 0.999
    ) -> None:
        self.parameters = list(parameters)
        self.first = [torch.zeros_like(p) for p in self.parameters]
        self.second = [torch.zeros_like(p) for p in self.parameters]
        self.count = torch.zeros((), device=self.parameters[0].device)
        self._ranges = list(_ranges(learning_rates))
        self._views = [[p.detach()[a:b] for p in self.parameters] for a, b, _ in self._ranges]
        groups = [
            {"params": views, "lr": rate, "initial_lr": rate}
            for views, (_, _, rate) in zip(self._views, self._ranges, strict=True)
        ]
        self._adam = torch.optim.Adam(groups, betas=(0.9, second_moment_decay), fused=True)
        for views, (a, b, _) in zip(self._views, self._ranges, strict=True):
            for view, first, second in zip(views, self.first, self.second, strict=True):
                self._adam.state[view] = {"step": self.count.clone(), "exp_avg": first[a:b], "exp_avg_sq": second[a:b]}

    def step(self, factor: float) -> None:
        """One update with the gradients that are present, every learning rate times `factor`."""
        for group, views, (a, b, _) in zip(self._adam.param_groups, self._views, self._ranges, strict=True):
            group["lr"] = group["initial_lr"] * factor
            for view, parameter in zip(views, self.parameters, strict=True):
                view.grad = parameter.grad[a:b]  # pyright: ignore[reportOptionalSubscript]
        self._adam.step()
        for parameter in self.parameters:
            parameter.grad = None

    def state(self) -> list[Tensor]:
        """Parameters and moments, `(replica, …)` each."""
        return [*(p.detach() for p in self.parameters), *self.first, *self.second]

    def set_count(self, steps: int) -> None:
        """Continue as after `steps` updates."""
        for state in self._adam.state.values():
            state["step"].fill_(steps)


def _ranges(values: Sequence[float]) -> Iterable[tuple[int, int, float]]:
    start = 0
    for value, members in groupby(values):
        stop = start + len(list(members))
        yield start, stop, value
        start = stop
