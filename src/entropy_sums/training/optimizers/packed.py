"""Optimisers for a pack: torch's fused kernels, with a learning rate and a weight decay per replica."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor, nn
from torch.optim.adam import adam
from torch.optim.adamw import adamw
from torch.optim.sgd import sgd


class PackedOptimizer:
    r"""An optimiser over parameters `(replica, …)`; neighbouring replicas with one rate and decay form a group.

    `adam` and `sgd` minimise the loss with the penalty $(\lambda/2)\|\theta\|^2$, `adamw` shrinks the parameters by
    $1 - \text{rate} \cdot \lambda$ apart from the gradient (Loshchilov and Hutter, ICLR 2019).

    Moments are kept as whole tensors beside the parameters, groups are views of them, so that the state of a
    single replica can be read and written. The functional forms of torch's optimisers do without the bookkeeping of
    `torch.optim`, a tenth of a step of small networks.

    Attributes:
        update: of a group, None where a step is no single update with a gradient.
        moments: running moments of the gradient by name, a tensor for each parameter.

    Example:
        >>> parameter = nn.Parameter(torch.ones(2, 3))
        >>> optimizer = PackedOptimizer("sgd", [parameter], learning_rates=[0.5, 0.5], weight_decays=[0.0, 1.0])
        >>> parameter.grad = torch.zeros(2, 3)
        >>> optimizer.step(1.0)
        >>> parameter[:, 0]
        tensor([1.0000, 0.5000], grad_fn=<SelectBackward0>)
    """

    def __init__(
        self,
        kind: str,
        parameters: Iterable[nn.Parameter],
        learning_rates: Sequence[float],
        weight_decays: Sequence[float],
        second_moment_decay: float = 0.999,
    ) -> None:
        self.parameters = list(parameters)
        rule = OPTIMIZERS[kind]
        self.update = rule.update
        self.moments = {name: [torch.zeros_like(p) for p in self.parameters] for name in rule.moments}
        self.second_moment_decay = second_moment_decay
        each = zip(learning_rates, weight_decays, strict=True)
        self._groups = [Group(self, slice(a, b), rate, decay) for a, b, (rate, decay) in _ranges(each)]

    def step(self, factor: float) -> None:
        """One update with the gradients that are present, every learning rate times `factor`."""
        assert self.update is not None, "only the model itself can update it"
        # What an objective does not depend on has no gradient
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in self.parameters]
        for group in self._groups:
            self.update(group, [gradient[group.members] for gradient in gradients], group.learning_rate * factor)
        for parameter in self.parameters:
            parameter.grad = None

    def set_count(self, steps: int) -> None:
        """Continue as after `steps` updates."""
        for group in self._groups:
            for count in group.counts:
                count.fill_(steps)


class Group:
    """Views of the replicas that share a learning rate and a weight decay."""

    def __init__(self, owner: PackedOptimizer, members: slice, learning_rate: float, weight_decay: float) -> None:
        self.members, self.learning_rate, self.weight_decay = members, learning_rate, weight_decay
        self.second_moment_decay = owner.second_moment_decay
        self.parameters = [p.detach()[members] for p in owner.parameters]
        self.moments = {name: [moment[members] for moment in moments] for name, moments in owner.moments.items()}
        self.counts = [torch.zeros((), device=p.device) for p in owner.parameters]


def _with_moments(kernel: Callable[..., None]) -> Callable[[Group, list[Tensor], float], None]:
    def update(group: Group, gradients: list[Tensor], learning_rate: float) -> None:
        kernel(
            group.parameters,
            gradients,
            group.moments["first"],
            group.moments["second"],
            [],
            group.counts,
            fused=True,
            amsgrad=False,
            beta1=0.9,
            beta2=group.second_moment_decay,
            lr=learning_rate,
            weight_decay=group.weight_decay,
            eps=1e-8,
            maximize=False,
        )

    return update


def _sgd(group: Group, gradients: list[Tensor], learning_rate: float) -> None:
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


@dataclass(frozen=True)
class Rule:
    """An update of a group from its gradients and a learning rate, and the moments that it keeps.

    EM and L-BFGS have none: the steps of these are no single update with a gradient.
    """

    update: Callable[[Group, list[Tensor], float], None] | None = None
    moments: tuple[str, ...] = ()


OPTIMIZERS: dict[str, Rule] = {
    "adam": Rule(_with_moments(adam), ("first", "second")),
    "adamw": Rule(_with_moments(adamw), ("first", "second")),
    "sgd": Rule(_sgd),
    "em": Rule(),
    "lbfgs": Rule(),
}
"""Name of an optimiser → how it updates."""


def _ranges(values: Iterable[tuple[float, float]]) -> Iterable[tuple[int, int, tuple[float, float]]]:
    start = 0
    for value, members in groupby(values):
        stop = start + len(list(members))
        yield start, stop, value
        start = stop
