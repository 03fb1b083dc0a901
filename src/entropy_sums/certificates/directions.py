"""Candidate directions in parameter space, in the span of which a certificate is sought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Direction:
    """A candidate: `radial` (θ ↦ θ) or `shift` (θ ↦ 1) of a tensor, or the shift of one of its entries."""

    parameter: str
    kind: str
    entry: int | None = None

    def __str__(self) -> str:
        place = self.parameter if self.entry is None else f"{self.parameter}[{self.entry}]"
        return place if self.kind == "radial" else f"shift of {place}"


def directions(model: nn.Module) -> list[Direction]:
    """All candidates: radial and shift for every learned tensor; every entry by itself for vectors that are no biases.

    A vector outside the networks, such as log standard deviations, has a meaning entry by entry.

    Example:
        >>> from entropy_sums.models import MODELS, build
        >>> model = build([MODELS["linear_vae"]()], 3, [torch.Generator()])
        >>> [str(direction) for direction in directions(model)][:4]
        ['shift of encoder.spread[0]', 'shift of encoder.spread[1]', 'encoder.mean.weight', 'shift of ...']
    """
    return [Direction(name, kind, entry) for name, p in learned(model) for kind, entry in _kinds(name, p)]


def learned(model: nn.Module) -> list[tuple[str, Tensor]]:
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]


def by_entry(name: str, parameter: Tensor) -> bool:
    size = parameter[0].numel()
    return size == max(parameter.shape[1:]) and (size == 1 or not name.endswith("bias"))


def _kinds(name: str, parameter: Tensor) -> list[tuple[str, int | None]]:
    if by_entry(name, parameter):
        return [("shift", entry) for entry in range(parameter[0].numel())]
    return [("radial", None), ("shift", None)]


def projections(model: nn.Module, gradients: Mapping[str, Tensor]) -> Tensor:
    """⟨d, ∇F⟩ for every candidate, `(replica, direction)`."""
    columns = []
    for name, parameter in learned(model):
        gradient = gradients[name].flatten(1)
        if by_entry(name, parameter):
            columns.append(gradient)
        else:
            columns.append((gradient * parameter.detach().flatten(1)).sum(1, keepdim=True))
            columns.append(gradient.sum(1, keepdim=True))
    return torch.cat(columns, dim=1)
