"""What all families share: the last axis is one event, parameters keep the shape they were given."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor


class Family(torch.distributions.Distribution):
    """A torch distribution over vectors, the last axis, with explicit noise and generators.

    Unlike the families of torch, parameters are not broadcast to the full shape: a scale that is shared
    by all points has shape `(replica, 1, 1)` and its logarithm is taken once. `entropy()` may therefore
    have any shape that broadcasts to `batch_shape`. Nothing is validated in these hot paths.
    """

    arg_constraints = {}
    _validate_args = False

    def __init__(self, shape: torch.Size) -> None:
        super().__init__(shape[:-1], shape[-1:], validate_args=False)

    @property
    def dim(self) -> int:
        """Number of coordinates D of one event."""
        return self.event_shape[0]

    @abstractmethod
    def draw(self, samples: int, generator: torch.Generator) -> Tensor:
        """Independent samples, shape `(samples, *batch_shape, D)`; no gradient is promised."""

    def entropies(self) -> Tensor:
        """Entropy of each coordinate in nats, broadcastable to `(*batch_shape, D)`."""
        raise TypeError(f"{type(self).__name__} does not factorise over coordinates")


def sum_coordinates(value: Tensor, dim: int) -> Tensor:
    """Sum over the last axis of `dim` coordinates, where an axis of length 1 stands for all of them."""
    return value.squeeze(-1) * dim if value.shape[-1] == 1 else value.sum(-1)


def per_coordinate(value: Tensor, dim: int) -> Tensor:
    """Give every one of `dim` coordinates its own entry on the last axis."""
    return value.expand(*value.shape[:-1], dim)
