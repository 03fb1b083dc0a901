"""Plan from which a model is built: settings, sizes, and layers with initial weights."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import Any

import torch

from entropy_sums.layers import Linear, Trunk, per_replica


@dataclass(frozen=True)
class Blueprint:
    """Inputs of a model builder: the settings of each replica, the data dimension, a generator per replica."""

    replicas: Sequence[Any]
    observed_dim: int
    generators: Sequence[torch.Generator]

    @property
    def shared(self) -> Any:
        """Settings that all replicas have in common; only unpacked ones may be read from it."""
        return self.replicas[0]

    def packed(self, name: str) -> list[Any]:
        """Values of a packed setting, one per replica."""
        return [getattr(settings, name) for settings in self.replicas]

    def linear(self, inputs: int, outputs: int, kind: Callable[..., Linear] = Linear) -> Linear:
        """Linear layer with initial weights drawn for each replica."""
        return kind(inputs, outputs, self.generators, per_replica(self.packed("initial_scale")))

    def layers(self, sizes: Sequence[int], first: Callable[..., Linear] = Linear) -> list[Linear]:
        """Linear layers between the given sizes; the first one is of kind `first`."""
        kinds = [first, *[Linear] * len(sizes)]
        return [self.linear(a, b, kind) for kind, a, b in zip(kinds, sizes, sizes[1:], strict=False)]

    def trunk(self, layers: Sequence[Linear]) -> Trunk:
        """Hidden layers with the activation and dropout of the settings after each."""
        return Trunk(layers, self.shared.activation, self.packed("dropout"))

    def __getattr__(self, name: str) -> Any:
        """Methods that moved, for plugins written before: these go in the next version."""
        if name not in ("network_encoder", "network_decoder", "network_decoder_heads", "normal_decoder"):
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        home = "entropy_sums.models.vae.vae"
        warnings.warn(f"blueprint.{name}(…) is now {home}.{name}(blueprint, …)", DeprecationWarning, stacklevel=2)
        return partial(getattr(import_module(home), name), self)
