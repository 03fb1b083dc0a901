"""Adam for a pack: torch's fused kernel, with a learning rate per replica."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import cast

import torch
from torch import Tensor, nn
from torch.optim.adam import adam


class PackedAdam:
    """Adam over parameters `(replica, …)`; replicas next to each other with one rate form a group.

    Moments are kept as whole tensors beside the parameters, groups are views of them, so that the state of a
    single replica can be read and written. The functional form of torch's Adam does without the bookkeeping of
    `torch.optim.Adam`, a tenth of a step of small networks.
    """

    def __init__(
        self,
        parameters: Iterable[nn.Parameter],
        learning_rates: Sequence[float],
        second_moment_decay: float = 0.999,
    ) -> None:
        self.parameters = list(parameters)
        self.first = [torch.zeros_like(p) for p in self.parameters]
        self.second = [torch.zeros_like(p) for p in self.parameters]
        self.second_moment_decay = second_moment_decay
        self._groups = [_Group(self, slice(a, b), rate) for a, b, rate in _ranges(learning_rates)]

    def step(self, factor: float) -> None:
        """One update with the gradients that are present, every learning rate times `factor`."""
        gradients = [cast(Tensor, parameter.grad) for parameter in self.parameters]
        for group in self._groups:
            adam(
                group.parameters,
                [gradient[group.members] for gradient in gradients],
                group.first,
                group.second,
                [],
                group.counts,
                fused=True,
                amsgrad=False,
                beta1=0.9,
                beta2=self.second_moment_decay,
                lr=group.learning_rate * factor,
                weight_decay=0.0,
                eps=1e-8,
                maximize=False,
            )
        for parameter in self.parameters:
            parameter.grad = None

    def set_count(self, steps: int) -> None:
        """Continue as after `steps` updates."""
        for group in self._groups:
            for count in group.counts:
                count.fill_(steps)


class _Group:
    """Views of the replicas that share a learning rate."""

    def __init__(self, owner: PackedAdam, members: slice, learning_rate: float) -> None:
        self.members, self.learning_rate = members, learning_rate
        self.parameters = [p.detach()[members] for p in owner.parameters]
        self.first = [moments[members] for moments in owner.first]
        self.second = [moments[members] for moments in owner.second]
        self.counts = [torch.zeros((), device=p.device) for p in owner.parameters]


def _ranges(values: Sequence[float]) -> Iterable[tuple[int, int, float]]:
    start = 0
    for value, members in groupby(values):
        stop = start + len(list(members))
        yield start, stop, value
        start = stop
