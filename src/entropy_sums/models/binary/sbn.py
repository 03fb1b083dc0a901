"""Sigmoid belief networks: layers of binary latents, binary data, an inference network for every layer from below."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from entropy_sums import estimators
from entropy_sums.bound import Bound, Factor, total
from entropy_sums.distributions import Bernoulli, cross_entropy
from entropy_sums.distributions.family import repeated
from entropy_sums.layers import Trunk, constant
from entropy_sums.models.binary.draws import Draws
from entropy_sums.models.binary.settings import ENUMERABLE_LATENTS
from entropy_sums.models.blueprint import Blueprint
from entropy_sums.models.components import NaturalParameter
from entropy_sums.models.model import Model

ENTRIES_AT_ONCE = 2**22
"""Log-probabilities of states given points that the likelihood holds at once."""


class Prior(nn.Module, ABC):
    """What the highest directed layer of a belief network comes from, whose state is z, `(replica, rows, H)`.

    Attributes:
        factor: its name in the bound.
        evolving: names of buffers that training changes.
        noise_dim: standard normal numbers that it wants.
    """

    factor: ClassVar[str]
    evolving: tuple[str, ...] = ()
    noise_dim: int = 0

    @abstractmethod
    def gains(self, posterior: Bernoulli, z: Tensor) -> tuple[Tensor, Tensor]:
        """What it adds to the elbo with its sign, but for log Z: a part known from below z, a part that z decides.

        In nats, `(replica, rows)`; `posterior` is q of z.
        """

    @abstractmethod
    def hidden_entropy(self, z: Tensor) -> Tensor:
        """Entropy in nats of the posterior given z of what lies above it, `(replica, rows)`."""

    @abstractmethod
    def marginal(self, z: Tensor) -> Tensor:
        """log p(z) + log Z in nats, `(replica, rows)`."""

    @abstractmethod
    def log_z(self, noise: Tensor) -> Tensor:
        """log Z in nats, with its gradient, `(replica,)`."""

    @abstractmethod
    def learn(self, posterior: Bernoulli, z: Tensor, noise: Tensor) -> Tensor:
        """The mean of its gains less log Z, or what has an estimate of its gradient and costs less, `(replica,)`."""

    @abstractmethod
    def training_log_z(self, z: Tensor, noise: Tensor) -> Tensor:
        """log Z, or what has an estimate of its gradient and costs less, `(replica,)`."""

    @abstractmethod
    def entropy(self, noise: Tensor) -> Tensor:
        """Of z and all that lies above it, in nats, `(replica,)`."""

    @abstractmethod
    def dream(self, z: Tensor, draws: Draws) -> Tensor:
        """As many samples of p(z), or what chains from z make of it, `(replica, rows, H)`."""


class IndependentPrior(Prior):
    """A product of Bernoulli distributions, the only layer: there is nothing above."""

    factor = "prior"
    whole = ("bias",)

    def __init__(self, bias: nn.Parameter, latent_dim: int) -> None:
        super().__init__()
        self.bias, self.latent_dim = bias, latent_dim

    def forward(self) -> Bernoulli:
        """Batch shape `(replica, 1)`, event `(H,)`."""
        return Bernoulli(self.bias.expand(-1, 1, self.latent_dim))

    def gains(self, posterior: Bernoulli, z: Tensor) -> tuple[Tensor, Tensor]:
        known = -cross_entropy(posterior, self())
        return known, torch.zeros_like(known)

    def hidden_entropy(self, z: Tensor) -> Tensor:
        return torch.zeros_like(z[..., 0])

    def marginal(self, z: Tensor) -> Tensor:
        return self().log_prob(z)

    def log_z(self, noise: Tensor) -> Tensor:
        return torch.zeros_like(self.bias[:, 0, 0])

    def learn(self, posterior: Bernoulli, z: Tensor, noise: Tensor) -> Tensor:
        return self.gains(posterior, z)[0].mean(1, dtype=torch.float64)

    def training_log_z(self, z: Tensor, noise: Tensor) -> Tensor:
        return self.log_z(noise)

    def entropy(self, noise: Tensor) -> Tensor:
        return self().entropy().squeeze(1).double()

    def dream(self, z: Tensor, draws: Draws) -> Tensor:
        return draws.bernoulli(self().logits.expand_as(z))


@dataclass(frozen=True)
class Climb:
    """A posterior sample of some layer and of those above it, one after the other.

    Attributes:
        posteriors: q of each layer given the sample below.
        states: the samples, `(replica, rows, H)`.
        conditionals: p of what lies below each layer, given its sample.
        log_probs: of what lies below each layer, in nats, `(replica, rows)`.
    """

    posteriors: list[Bernoulli]
    states: list[Tensor]
    conditionals: list[Bernoulli]
    log_probs: list[Tensor]

    def directed(self) -> Tensor:
        """Entropy of every q and log-probability of what lies below every layer, together, `(replica, rows)`."""
        return total([*(q.entropy() for q in self.posteriors), *self.log_probs])

    def log_qs(self) -> list[Tensor]:
        """Log-probabilities of the samples under q of their layers, `(replica, rows)`."""
        return [q.log_prob(state) for q, state in zip(self.posteriors, self.states, strict=True)]


@dataclass(frozen=True)
class Sample:
    """S posterior samples per point.

    Attributes:
        number: S.
        x: `(replica or none, S·N, D)`, all points of one sample after the other.
        uniforms: the numbers between 0 and 1 that each layer took, `(replica, S·N, H)`.
        climb: from the lowest layer.
    """

    number: int
    x: Tensor
    uniforms: list[Tensor]
    climb: Climb

    def split(self, value: Tensor) -> Tensor:
        """`(replica, S·N)` → `(S, replica, N)`."""
        return value.unflatten(1, (self.number, -1)).movedim(1, 0)


class SBN(Model):
    r"""A sigmoid belief network with layers $z_1$ (lowest) to $z_L$ of binary latents.

    $$p(x, z) = p(x \mid z_1)\, p(z_1 \mid z_2) \cdots p(z_L), \qquad
      q(z \mid x) = q(z_1 \mid x)\, q(z_2 \mid z_1) \cdots q(z_L \mid z_{L-1})$$

    Each factor is a product of Bernoulli distributions, and its logits are a network of what it is conditioned on; its
    gap is $\theta \cdot \nabla F$ for the last layer θ of the network, or the logits of the prior. Entropies of q, and
    the cross-entropy of the prior, are exact given the sample below. `layer_l` is $p(z_l \mid z_{l+1})$.

    The gradient of the elbo is that of antithetic pairs, DisARM, layer by layer: both members of a pair are followed by
    the same noise in the layers above. Source: Saul, Jaakkola and Jordan (1996); Mnih and Gregor (ICML 2014) for the
    inference networks; Dong, Mnih and Tucker (NeurIPS 2020) for the gradient.

    Args:
        prior: p of the highest layer.

    Example:
        >>> from entropy_sums.models import MODELS, build
        >>> model = build([MODELS["sbn"](depth=2)], 3, [torch.Generator().manual_seed(0)])
        >>> model.factors
        ('prior', 'layer_1', 'observation')
        >>> model.bound(torch.ones(5, 3), torch.zeros(1, 5, 4)).elbo.shape
        torch.Size([1])
    """

    def __init__(self, blueprint: Blueprint, prior: Prior) -> None:
        s = blueprint.shared
        noise_dim = max(s.directed * s.latent_dim, prior.noise_dim)
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
        """q of the lowest layer; `latent_entropy`, too, is of these latents."""
        return self.encoders[0](x)

    def bound(self, x: Tensor, noise: Tensor, posterior: Bernoulli | None = None) -> Bound:
        sample, prior = self._sample(x, noise, posterior), self.prior
        climb, z = sample.climb, sample.climb.states[-1]
        hidden_entropy = prior.hidden_entropy(z)
        posterior_entropy = self.mean(total(q.entropy() for q in climb.posteriors) + hidden_entropy)
        if torch.is_grad_enabled():
            posterior_entropy = posterior_entropy + self.mean(self._antithetic(sample))
        surprise = prior.log_z(noise) + self.mean(hidden_entropy - total(prior.gains(climb.posteriors[-1], z)))
        factors = {prior.factor: Factor(surprise, lambda: prior.entropy(noise))}
        conditionals = zip(self.factors[1:], climb.conditionals[::-1], climb.log_probs[::-1], strict=True)
        for name, p, log_prob in conditionals:
            factors[name] = Factor(-self.mean(log_prob), lambda p=p: self.mean(p.entropy()))
        return Bound(posterior_entropy, factors)

    def objective(self, x: Tensor, noise: Tensor) -> Tensor:
        return self._trained(x, noise, self._antithetic)

    @property
    def sample_dim(self) -> int:
        return self.noise_dim

    def log_weights(self, x: Tensor, noise: Tensor, posterior: Bernoulli | None = None) -> Tensor:
        """log p(x, z) − log q(z given x) in nats of S posterior samples per point, `(replica, S·N)`."""
        climb = self._sample(x, noise, posterior).climb
        return self._log_joint(climb) - self.prior.log_z(noise).unsqueeze(1) - total(climb.log_qs())

    def log_likelihood(self, x: Tensor) -> Tensor | None:
        """Exact by enumeration up to 12 latents in all directed layers."""
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
        """Samples of the data and of every layer below z, a state of the highest one, from below, and z itself."""
        states = [z]
        for decoder in reversed(self.decoders):
            states.append(draws.bernoulli(decoder(states[-1]).logits))
        return states[::-1]

    def _trained(self, x: Tensor, noise: Tensor, score: Callable[[Sample], Tensor]) -> Tensor:
        """The elbo of samples; `score` has the gradient of what depends on states, `(replica, …)`."""
        sample = self._sample(x, noise)
        climb = sample.climb
        learned = self.prior.learn(climb.posteriors[-1], climb.states[-1], noise)
        return self.mean(climb.directed()) + self.mean(score(sample)) + learned

    def _sample(self, x: Tensor, noise: Tensor, posterior: Bernoulli | None = None) -> Sample:
        number = noise.shape[1] // x.shape[-2]
        first = posterior or self.posterior(x)
        if number > 1:
            x, first = repeated(x, number), Bernoulli(repeated(first.logits, number))
        needed = noise[..., : self.depth * self.latent_dim]
        uniforms = list(estimators.uniform(needed).split(self.latent_dim, dim=-1))
        return Sample(number, x, uniforms, self._climb(x, first, uniforms))

    def _climb(self, below: Tensor, posterior: Bernoulli, uniforms: Sequence[Tensor]) -> Climb:
        """From the layer with this posterior to the top, with uniform numbers for each of these layers."""
        posteriors, states = [posterior], [estimators.states(posterior.logits, uniforms[0])]
        start = self.depth - len(uniforms)
        for encoder, numbers in zip(self.encoders[start + 1 :], uniforms[1:], strict=True):
            posteriors.append(encoder(states[-1]))
            states.append(estimators.states(posteriors[-1].logits, numbers))
        conditionals = [decoder(state) for decoder, state in zip(self.decoders[start:], states, strict=True)]
        values = [below, *states[:-1]]
        log_probs = [p.log_prob(value) for p, value in zip(conditionals, values, strict=True)]
        return Climb(posteriors, states, conditionals, log_probs)

    def _log_joint(self, climb: Climb) -> Tensor:
        """log p(x, z) + log Z of a climb from the lowest layer, `(replica, rows)`."""
        return self.prior.marginal(climb.states[-1]) + total(climb.log_probs)

    def _signals(self, climb: Climb) -> list[Tensor]:
        """For every layer of a climb the part of the elbo that its state has an influence on, `(replica, rows)`."""
        known, decided = self.prior.gains(climb.posteriors[-1], climb.states[-1])
        *gains, highest = [q.entropy() for q in climb.posteriors]
        above = [*gains, highest + known, decided][1:]
        parts = [log_prob + gain for log_prob, gain in zip(climb.log_probs, above, strict=True)]
        return list(accumulate(parts[::-1]))[::-1]

    def _antithetic(self, sample: Sample) -> Tensor:
        """DisARM: at every layer the climb turns to the antithetic state, and goes on with the same noise."""
        climb, uniforms, scores = sample.climb, sample.uniforms, []
        below = [sample.x, *climb.states]
        with torch.no_grad():
            signals = self._signals(climb)
        for layer, posterior in enumerate(climb.posteriors):
            with torch.no_grad():
                other = self._climb(below[layer], posterior, [1 - uniforms[layer], *uniforms[layer + 1 :]])
                difference = signals[layer] - self._signals(other)[0]
            scores.append(estimators.disarm(difference, climb.states[layer], other.states[0], posterior.logits))
        return total(scores)

    def _all_states(self) -> Tensor:
        """`(1, 2**H, H)`."""
        return estimators.all_states(self.latent_dim, next(self.parameters())).unsqueeze(0)

    def _log_prior(self, z: Tensor) -> Tensor:
        """log p of all states z of the highest directed layer, `(replica, 2**H)`, in float64."""
        return self.prior.marginal(z).log_softmax(1, dtype=torch.float64)


class ReinforcedSBN(SBN):
    """Trained with the score function, the mean of the other samples of a point as baseline at every layer."""

    def objective(self, x: Tensor, noise: Tensor) -> Tensor:
        return self._trained(x, noise, self._leave_one_out)

    def _leave_one_out(self, sample: Sample) -> Tensor:
        climb = sample.climb
        with torch.no_grad():
            signals = self._signals(climb)
        layers = zip(map(sample.split, signals), map(sample.split, climb.log_qs()), strict=True)
        return total(estimators.reinforce(signal, log_q) for signal, log_q in layers).movedim(0, 1)


class ImportanceWeightedSBN(SBN):
    """Trained on the importance-weighted bound by VIMCO, so that the gap of the ELBO need not vanish at the end."""

    def objective(self, x: Tensor, noise: Tensor) -> Tensor:
        sample = self._sample(x, noise)
        # First, as the prior may write its parameters in another way while it learns
        log_z = self.prior.training_log_z(sample.climb.states[-1], noise)
        log_q = total(sample.climb.log_qs())
        log_weights = self._log_joint(sample.climb) - log_q
        return self.mean(estimators.vimco(sample.split(log_weights), sample.split(log_q))) - log_z


class WakeSleepSBN(SBN):
    """Trained by turns: the model on states that the posterior has of the data, the posterior on what the model dreams.

    The gradient of the model is that of the ELBO, so its stationary points close the gap, whatever the posterior is;
    that of the posterior ascends the mean of log q(z given x) over dreams. Source: Hinton, Dayan, Frey and Neal
    (Science 1995); with a Boltzmann machine on top the up-down algorithm of Hinton, Osindero and Teh (Neural
    Computation 2006), the dreams of which begin at the highest states that the data have.
    """

    def __init__(self, blueprint: Blueprint, prior: Prior) -> None:
        super().__init__(blueprint, prior)
        self.noise_dim = max(self.noise_dim, Draws.noise_dim)

    def objective(self, x: Tensor, noise: Tensor) -> Tensor:
        climb, draws = self._sample(x, noise).climb, Draws(noise)
        z, highest = climb.states[-1], Bernoulli(climb.posteriors[-1].logits.detach())
        awake = self.mean(total(climb.log_probs)) + self.prior.learn(highest, z, noise)
        with torch.no_grad():
            dream = self.descend(self.prior.dream(z, draws), draws)
        layers = zip(self.encoders, dream[:-1], dream[1:], strict=True)
        return awake + self.mean(total(encoder(below).log_prob(state) for encoder, below, state in layers))


class EnumeratedSBN(SBN):
    """Every expectation is a sum over all states: no noise, exact gradients, for a dozen latents.

    Above the lowest layer nothing depends on the point, but for the aggregate posterior that it is weighted with.
    """

    def __init__(self, blueprint: Blueprint, prior: Prior) -> None:
        super().__init__(blueprint, prior)
        self.noise_dim = 0

    def objective(self, x: Tensor, noise: Tensor) -> Tensor:
        return self.bound(x, noise).elbo

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


ESTIMATORS: dict[str, type[SBN]] = {
    "enumeration": EnumeratedSBN,
    "reinforce": ReinforcedSBN,
    "vimco": ImportanceWeightedSBN,
    "disarm": SBN,
    "wake_sleep": WakeSleepSBN,
}
"""Estimator of the gradient in training → the network that is trained so."""

PRIORS: dict[str, Callable[[Blueprint], nn.Parameter]] = {
    "learned": lambda blueprint: nn.Parameter(torch.zeros(len(blueprint.replicas), 1, blueprint.shared.latent_dim)),
    "uniform": lambda blueprint: constant([0.0] * len(blueprint.replicas)),
    "fixed": lambda blueprint: constant([math.log(mean / (1 - mean)) for mean in blueprint.packed("prior_mean")]),
}
"""Kind of prior → its logits."""


def sbn(blueprint: Blueprint) -> SBN:
    r"""$p(z_L)$, $p(z_l \mid z_{l+1})$ and $p(x \mid z_1)$ of Bernoulli distributions, trained as the settings say."""
    prior = IndependentPrior(PRIORS[blueprint.shared.prior](blueprint), blueprint.shared.latent_dim)
    return ESTIMATORS[blueprint.shared.estimator](blueprint, prior)


def _conditional(blueprint: Blueprint, sizes: Sequence[int]) -> NaturalParameter:
    *hidden, last = blueprint.layers(sizes)
    return NaturalParameter(Bernoulli, nn.Sequential(Trunk(hidden, blueprint.shared.activation), last))


def _expected(weights: Tensor, value: Tensor) -> Tensor:
    """Expectation over states, `(replica, states)` → `(replica,)`."""
    return (weights * value).sum(1)
