"""The plan that a model is built from: settings, sizes, and layers with initial weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from entropy_sums.layers import Linear, Trunk, per_replica


@dataclass(frozen=True)
class Blueprint:
    """All that a model is built from: the settings of each replica, the data size, a generator per replica."""

    replicas: Sequence[Any]
    observed_dim: int
    generators: Sequence[torch.Generator]

    @property
    def shared(self) -> Any:
        """The settings that all replicas have in common: read only unpacked ones from it."""
        return self.replicas[0]

    def packed(self, name: str) -> list[float]:
        """A packed setting, one value per replica."""
        return [getattr(settings, name) for settings in self.replicas]

    def linear(self, inputs: int, outputs: int, kind: Callable[..., Linear] = Linear) -> Linear:
        """A linear layer with initial weights drawn for each replica."""
        return kind(inputs, outputs, self.generators, per_replica(self.packed("initial_scale")))

    def layers(self, sizes: Sequence[int], first: Callable[..., Linear] = Linear) -> list[Linear]:
        """Linear layers between the given sizes, the first one of another kind if need be."""
        kinds = [first, *[Linear] * len(sizes)]
        return [self.linear(a, b, kind) for kind, a, b in zip(kinds, sizes, sizes[1:], strict=False)]

    def trunk(self, layers: Sequence[Linear]) -> Trunk:
        """Hidden layers with what the settings put after each."""
        return Trunk(layers, self.shared.activation, self.packed("dropout"))
