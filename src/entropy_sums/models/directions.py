"""Directions in parameter space; a certificate is sought in their span."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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


def candidates(model: nn.Module) -> list[Direction]:
    """Candidate directions: radial and shift of every learned tensor, and for vectors the shift of every entry.

    The entries of a vector outside of layers, such as log standard deviations, move one by one. A module lists the
    vectors that move as one tensor in `whole`.
    """
    return [
        direction
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
        for direction in _of_tensor(model, name, parameter)
    ]


def _of_tensor(model: nn.Module, name: str, parameter: Tensor) -> list[Direction]:
    owner, _, own_name = name.rpartition(".")
    size, whole = parameter[0].numel(), getattr(model.get_submodule(owner), "whole", ())
    if size == max(parameter.shape[1:]) and (size == 1 or own_name not in whole):
        return [Direction(name, "shift", entry) for entry in range(size)]
    return [Direction(name, "radial"), Direction(name, "shift")]
