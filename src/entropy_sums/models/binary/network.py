"""Belief networks: layers of binary latents, binary data, an inference network for every layer from below."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from entropy_sums import estimators
from entropy_sums.bound import Bound, Factor, total
from entropy_sums.distributions import Bernoulli
from entropy_sums.layers import Trunk
from entropy_sums.models.binary.draws import Draws
from entropy_sums.models.binary.settings import ENUMERABLE_LATENTS
from entropy_sums.models.blueprint import Blueprint
from entropy_sums.models.components import NaturalParameter
from entropy_sums.models.model import Model

ENTRIES_AT_ONCE = 2**22
"""Largest number of log-probabilities of states and points that the likelihood holds at once."""


class Prior(nn.Module, ABC):
    """Distribution of the state z, `(replica, rows, H)`, of the highest directed layer of a belief network.

    Attributes:
        factor: name of its factor in the bound.
        evolving: names of buffers that training changes.
        noise_dim: number of standard normal numbers that it needs.
    """

    factor: ClassVar[str]
    evolving: tuple[str, ...] = ()
    noise_dim: int = 0

    @abstractmethod
    def gains(self, posterior: Bernoulli, z: Tensor) -> tuple[Tensor, Tensor]:
        """Contribution to the elbo without log Z: a part known from the layer below z, and a part that depends on z.

        Both are in nats, `(replica, rows)`; `posterior` is q of z.
        """

    @abstractmethod
    def hidden_entropy(self, z: Tensor) -> Tensor:
        """Entropy in nats of the posterior of all units above z, given z, `(replica, rows)`."""

    @abstractmethod
    def marginal(self, z: Tensor) -> Tensor:
        """log p(z) + log Z in nats, `(replica, rows)`."""

    @abstractmethod
    def log_z(self, noise: Tensor) -> Tensor:
        """log Z in nats, with its gradient, `(replica,)`."""

    @abstractmethod
    def learn(self, posterior: Bernoulli, z: Tensor, noise: Tensor) -> Tensor:
        """Mean of the gains minus log Z, or a cheaper value whose gradient estimates its gradient, `(replica,)`."""

    @abstractmethod
    def training_log_z(self, z: Tensor, noise: Tensor) -> Tensor:
        """log Z, or a cheaper value whose gradient estimates its gradient, `(replica,)`."""

    @abstractmethod
    def entropy(self, noise: Tensor) -> Tensor:
        """Entropy of z and all units above it, in nats, `(replica,)`."""

    @abstractmethod
    def dream(self, z: Tensor, draws: Draws) -> Tensor:
        """Samples of p(z), one for each z, or states of chains that begin at z, `(replica, rows, H)`."""


class BeliefNetwork(Model, ABC):
    r"""A network with layers $z_1$ (lowest) to $z_L$ of binary latents.

    $$p(x, z) = p(x \mid z_1)\, p(z_1 \mid z_2) \cdots p(z_L), \qquad
      q(z \mid x) = q(z_1 \mid x)\, q(z_2 \mid z_1) \cdots q(z_L \mid z_{L-1})$$

    Each factor is a product of Bernoulli distributions, and its logits are a network of the layer above; its
    gap is $\theta \cdot \nabla F$ for the last layer θ of the network, or the logits of the prior. Entropies of q, and
    the cross-entropy of the prior, are exact given the sample below. `layer_l` is $p(z_l \mid z_{l+1})$.
    Source: Saul, Jaakkola and Jordan (1996); Mnih and Gregor (ICML 2014) for the inference networks.

    Args:
        prior: distribution of the highest layer.
        noise_dim: as in `Model`.
    """

    def __init__(self, blueprint: Blueprint, prior: Prior, noise_dim: int) -> None:
        s = blueprint.shared
        super().__init__(s.latent_dim, noise_dim)
        self.depth, self.prior = s.directed, prior
        sizes = [blueprint.observed_dim] + [s.latent_dim] * self.depth
        encoder, decoder = [s.encoder_width] * s.encoder_depth, [s.decoder_width] * s.decoder_depth
        self.encoders = nn.ModuleList(_conditional(blueprint, [a, *encoder, b]) for a, b in pairwise(sizes))
        self.decoders = nn.ModuleList(_conditional(blueprint, [b, *decoder, a]) for a, b in pairwise(sizes))

    @property
    def factors(self) -> tuple[str, ...]:
        return (self.prior.factor, *(f"layer_{number}" for number in range(self.depth - 1, 0, -1)), "observation")

    @property
    def evolving(self) -> tuple[str, ...]:
        return tuple(f"prior.{name}" for name in self.prior.evolving)

    def posterior(self, x: Tensor) -> Bernoulli:
        """Posterior q of the lowest layer; `latent_entropy` refers to these latents, too."""
        return self.encoders[0](x)

    def log_likelihood(self, x: Tensor) -> Tensor | None:
        """Exact log-likelihood by enumeration, up to 12 latents in all directed layers, else None."""
        if self.depth * self.latent_dim > ENUMERABLE_LATENTS:
            return None
        z = self._all_states()
        latent = self._log_prior(z).to(z)
        for decoder in reversed(self.decoders[1:]):
            latent = (estimators.log_probs(decoder(z).logits, z) + latent.unsqueeze(-1)).logsumexp(1)
        logits = self.decoders[0](z).logits
        size = max(1, ENTRIES_AT_ONCE // latent.numel())
        parts = [estimators.log_probs(logits, part) + latent.unsqueeze(-1) for part in x.split(size, dim=-2)]
        return self.mean(torch.cat([part.logsumexp(1) for part in parts], dim=1))

    def descend(self, z: Tensor, draws: Draws) -> list[Tensor]:
        """Samples of the data and of every layer below z, a state of the highest layer; from below, z included."""
        states = [z]
        for decoder in reversed(self.decoders):
            states.append(draws.bernoulli(decoder(states[-1]).logits))
        return states[::-1]

    def _all_states(self) -> Tensor:
        """All states of a layer, `(1, 2**H, H)`."""
        return estimators.all_states(self.latent_dim, next(self.parameters())).unsqueeze(0)

    def _log_prior(self, z: Tensor) -> Tensor:
        """log p of all states z of the highest directed layer, `(replica, 2**H)`, in float64."""
        return self.prior.marginal(z).log_softmax(1, dtype=torch.float64)


class EnumeratedNetwork(BeliefNetwork):
    """A belief network with exact expectations, sums over all states: no noise, exact gradients, up to 12 latents.

    Above the lowest layer, points enter only through the aggregate posterior, the weight of each state.
    """

    def __init__(self, blueprint: Blueprint, prior: Prior) -> None:
        super().__init__(blueprint, prior, noise_dim=0)

    def bound(self, x: Tensor, noise: Tensor, posterior: Bernoulli | None = None) -> Bound:
        first, z = posterior or self.posterior(x), self._all_states()
        weights = estimators.log_probs(first.logits, z).exp()
        aggregate = weights.mean(1, dtype=torch.float64)
        observation: Bernoulli = self.decoders[0](z)
        surprise = -(weights.mT * estimators.log_probs(observation.logits, x)).sum(1)
        factors = [Factor(self.mean(surprise), _expected(aggregate, observation.entropy()))]
        entropies = [self.mean(first.entropy())]
        for encoder, decoder in zip(self.encoders[1:], self.decoders[1:], strict=True):
            q, p = encoder(z), decoder(z)
            entropies.append(_expected(aggregate, q.entropy()))
            pairs = aggregate.unsqueeze(-1) * estimators.log_probs(q.logits, z).exp()
            aggregate = pairs.sum(1)
            surprise = -(pairs.mT * estimators.log_probs(p.logits, z)).sum((1, 2))
            factors.append(Factor(surprise, _expected(aggregate, p.entropy())))
        log_prior, hidden_entropy = self._log_prior(z), self.prior.hidden_entropy(z)
        entropies.append(_expected(aggregate, hidden_entropy))
        surprise = hidden_entropy - log_prior
        factors.append(Factor(_expected(aggregate, surprise), _expected(log_prior.exp(), surprise)))
        return Bound(total(entropies), dict(zip(self.factors, factors[::-1], strict=True)))


def _conditional(blueprint: Blueprint, sizes: Sequence[int]) -> NaturalParameter:
    *hidden, last = blueprint.layers(sizes)
    return NaturalParameter(Bernoulli, nn.Sequential(Trunk(hidden, blueprint.shared.activation), last))


def _expected(weights: Tensor, value: Tensor) -> Tensor:
    """Expectation over states, `(replica, states)` → `(replica,)`."""
    return (weights * value).sum(1)
