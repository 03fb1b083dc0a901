"""Directions in parameter space; a certificate is sought in their span."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn


@dataclass(frozen=True)
class Direction:
    """Candidate direction: `radial` (θ ↦ θ) or `shift` (θ ↦ 1) of a tensor, or of one of its entries.

    Attributes:
        parameter: name of the tensor in the model.
        kind: `radial` or `shift`.
        entry: position in a replica's flattened tensor; None for all of it.
    """

    parameter: str
    kind: Literal["radial", "shift"]
    entry: int | None = None

    def __str__(self) -> str:
        place = self.parameter if self.entry is None else f"{self.parameter}[{self.entry}]"
        return place if self.kind == "radial" else f"shift of {place}"

    def along(
        self, gradient: Float[Tensor, "replica ..."], parameter: Float[Tensor, "replica ..."]
    ) -> Float[Tensor, " replica"]:
        """Inner product of the direction with the gradient of its tensor, `(replica,)`.

        Example:
            >>> import torch
            >>> gradient, parameter = torch.tensor([[[3.0, 4.0]]]), torch.tensor([[[10.0, 1.0]]])
            >>> Direction("w", "radial").along(gradient, parameter)
            tensor([34.])
            >>> Direction("w", "shift", 1).along(gradient, parameter)
            tensor([4.])
        """
        product = (gradient * parameter if self.kind == "radial" else gradient).flatten(1)
        return product.sum(1) if self.entry is None else product[:, self.entry]

    def vector(self, parameter: Float[Tensor, "replica ..."]) -> Float[Tensor, "replica size"]:
        """The direction as flattened vectors in the space of its tensor, `(replica, size)`.

        Example:
            >>> Direction("w", "shift", 1).vector(torch.tensor([[[10.0, 1.0]]]))
            tensor([[0., 1.]])
        """
        whole = parameter.flatten(1) if self.kind == "radial" else torch.ones_like(parameter).flatten(1)
        if self.entry is None:
            return whole
        return torch.zeros_like(whole).index_copy(1, torch.tensor([self.entry]), whole[:, [self.entry]])


LAYER = ("weight", "bias")
"""Ends of the names of tensors that move as one, as the tensors of layers do, whatever their shape."""


def candidates(model: nn.Module) -> list[Direction]:
    """Candidate directions: radial and shift of every learned tensor, and for free vectors the shift of every entry.

    A free vector is a vector outside of layers, such as log standard deviations. A tensor whose name is or ends in
    `weight` or `bias` belongs to a layer, also if the layer has a single input or output. A module lists other vectors
    that move as one tensor in `whole`.

    Example:
        >>> module = nn.Module()
        >>> module.weight, module.log_std = nn.Parameter(torch.ones(1, 3, 1)), nn.Parameter(torch.ones(1, 1, 2))
        >>> [str(direction) for direction in candidates(module)]
        ['weight', 'shift of weight', 'shift of log_std[0]', 'shift of log_std[1]']
    """
    return [
        direction
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
        for direction in _of_tensor(model, name, parameter)
    ]


def _of_tensor(model: nn.Module, name: str, parameter: Tensor) -> list[Direction]:
    owner, _, own_name = name.rpartition(".")
    whole = own_name.endswith(LAYER) or own_name in getattr(model.get_submodule(owner), "whole", ())
    size = parameter[0].numel()
    if not whole and size == max(parameter.shape[1:], default=1):
        return [Direction(name, "shift", entry) for entry in range(size)]
    return [Direction(name, "radial"), Direction(name, "shift")]


def alternatives(model: nn.Module, directions: Sequence[Direction]) -> list[tuple[int, int]]:
    """Positions of radial and shift of the same single number: each is a multiple of the other."""
    places = {(d.parameter, d.kind): k for k, d in enumerate(directions) if d.entry is None}
    single = [name for name, parameter in model.named_parameters() if parameter[0].numel() == 1]
    pairs = [(places.get((name, "radial")), places.get((name, "shift"))) for name in single]
    return [(radial, shift) for radial, shift in pairs if radial is not None and shift is not None]
