"""Random numbers for samplers that need many of them per step: a generator per replica, seeded by its noise."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from entropy_sums.draws import normal, uniform


class Draws:
    """Any number of random numbers; a replica draws the same ones in every pack.

    A model has a small, fixed number of normal numbers per point, but a Gibbs step needs a uniform one per unit.

    Attributes:
        noise_dim: sufficient number of standard normal numbers per row.

    Args:
        noise: standard normal, `(replica, rows, 2 or more)`; only the first row of each replica is used.

    Example:
        >>> noise = torch.randn(3, 1, 2, generator=torch.Generator().manual_seed(0))
        >>> pack, alone = Draws(noise), Draws(noise[2:])
        >>> pack.uniform(4, 5).shape, Draws(noise).uniform(7)[2:].equal(alone.uniform(7))
        (torch.Size([3, 4, 5]), True)
    """

    noise_dim = 2

    def __init__(self, noise: Float[Tensor, "replica rows noise"]) -> None:
        bits = noise[:, 0, : self.noise_dim].float().contiguous().view(torch.int32).tolist()
        self.device = noise.device
        self.generators = [
            # An odd factor spreads the first number's bits over all, the second one is laid over them
            torch.Generator(self.device).manual_seed((first * 0x9E3779B1 ^ second) & 0xFFFFFFFF)
            for first, second in bits
        ]

    def uniform(self, *shape: int) -> Tensor:
        """Uniform numbers between 0 and 1 in float32, `(replica, *shape)`."""
        numbers = torch.empty(len(self.generators), *shape, dtype=torch.float32, device=self.device)
        for row, generator in zip(numbers, self.generators, strict=True):
            uniform(row, generator)
        return numbers

    def normal(self, *shape: int, dtype: torch.dtype) -> Tensor:
        """Standard normal numbers, `(replica, *shape)`."""
        numbers = torch.empty(len(self.generators), *shape, dtype=dtype, device=self.device)
        for row, generator in zip(numbers, self.generators, strict=True):
            normal(row, generator)
        return numbers

    @torch.no_grad()
    def bernoulli(self, logits: Float[Tensor, "replica rows units"]) -> Float[Tensor, "replica rows units"]:
        """Bernoulli samples with probability sigmoid(logit), to within 2⁻²⁵; never 1 at probability 0, always 1 at 1.

        Each unit draws the 16 highest bits of its uniform number; the units of a row share the lower bits. This leaves
        the probabilities unchanged and gives two units of a row a covariance of at most 2⁻³⁴.
        """
        own, shared = self._short(logits[0].numel()), 1 - self.uniform(logits.shape[1], 1)
        thresholds = own.view(logits.shape).float().add_(shared)
        return thresholds.le_(logits.float().sigmoid().mul_(2**16)).to(logits.dtype)

    def _short(self, count: int) -> Tensor:
        """Integers of 16 bits, `(replica, count)`; four cost the generator as much as two uniform numbers."""
        numbers = torch.empty(len(self.generators), -(-count // 4), dtype=torch.int64, device=self.device)
        for row, generator in zip(numbers, self.generators, strict=True):
            row.random_(-(2**63), None, generator=generator)
        return numbers.view(torch.uint16)[:, :count]
