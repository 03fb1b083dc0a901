"""Base classes of all families: the last axis is one event, and parameters keep the shape they were given."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor


class Family(torch.distributions.Distribution, ABC):
    """A torch distribution over vectors (the last axis) with explicit noise and generators.

    Unlike the families of torch, parameters are not broadcast to the full shape: a scale that is shared
    by all points has shape `(replica, 1, 1)` and its logarithm is taken once. `entropy()` may therefore
    have any shape that broadcasts to `batch_shape`. Nothing is validated in these hot paths.

    A family with independent coordinates and an event axis of length 1 stands for any number of identical
    coordinates in `log_prob` and `cross_entropy`, as in torch; its `entropy()` is the entropy of one coordinate.
    """

    _validate_args = False

    def __init__(self, shape: torch.Size) -> None:
        super().__init__(shape[:-1], shape[-1:], validate_args=False)

    @property
    def arg_constraints(self) -> dict:
        return {}

    @property
    def dim(self) -> int:
        """Number of coordinates D of one event."""
        return self.event_shape[0]

    @abstractmethod
    def draw(self, samples: int, generator: torch.Generator) -> Tensor:
        """Independent samples, shape `(samples, *batch_shape, D)`; they need not have a gradient."""

    @abstractmethod
    def log_prob(self, value: Tensor) -> Tensor:
        """Log density or log mass of each event in nats, shape `(...)` for values `(..., D)`."""

    def mean_log_prob(self, value: Tensor, rounds: int) -> Tensor:
        """Mean log density or log mass of points in nats, accumulated in float64, `(replica or 1,)`.

        Args:
            value: points `(*replica, N, D)`.
            rounds: number of times that this family, with batch `(replica, rounds · N)`, goes through all points.
        """
        return self.log_prob(repeated(value, rounds)).flatten(1).mean(1, dtype=torch.float64)

    @abstractmethod
    def entropy(self) -> Tensor:
        """Entropy of one event in nats, broadcastable to `batch_shape`, differentiable in the parameters."""

    def entropies(self) -> Tensor:
        """Entropy of each coordinate in nats, broadcastable to `(*batch_shape, D)`."""
        raise TypeError(f"the coordinates of {type(self).__name__} are not independent; use entropy()")

    def _blank(self, samples: int, like: Tensor) -> Tensor:
        """Uninitialised tensor of the shape of `samples` draws, to be filled with noise from a generator."""
        return torch.empty(self._extended_shape(torch.Size((samples,))), dtype=like.dtype, device=like.device)


class Coordinatewise(Family):
    """A family whose coordinates are independent, so that entropies add up."""

    @abstractmethod
    def _entropies(self) -> Tensor:
        """Entropy of each coordinate; the last axis has length D, or 1 where all coordinates share their parameters."""

    def entropies(self) -> Tensor:
        return per_coordinate(self._entropies(), self.dim)

    def entropy(self) -> Tensor:
        return sum_coordinates(self._entropies(), self.dim)


def repeated(points: Tensor, rounds: int) -> Tensor:
    """All points, one round of them after the other, `(..., N, D)` → `(..., rounds · N, D)`."""
    return points if rounds == 1 else torch.cat([points] * rounds, dim=-2)


def broadcast_shape(*shapes: torch.Size) -> torch.Size:
    """Common shape, by NumPy: the torch function imports sympy, half a second per job, and is eight times slower."""
    return torch.Size(np.broadcast_shapes(*shapes))


def sum_coordinates(value: Tensor, dim: int) -> Tensor:
    """Sum over the last axis of `dim` coordinates, where an axis of length 1 stands for all of them."""
    return value.squeeze(-1) * dim if value.shape[-1] == 1 else value.sum(-1)


def per_coordinate(value: Tensor, dim: int) -> Tensor:
    """Give every one of `dim` coordinates its own entry on the last axis."""
    return value.expand(*value.shape[:-1], dim)
