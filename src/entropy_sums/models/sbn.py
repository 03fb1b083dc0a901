"""Sigmoid belief networks: layers of binary latents, binary data, an inference network for every layer from below."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import torch
from torch import Tensor, nn

from entropy_sums import estimators
from entropy_sums.bound import Bound, Factor, total
from entropy_sums.distributions import Bernoulli, cross_entropy
from entropy_sums.layers import Trunk, constant
from entropy_sums.models.components import Blueprint, NaturalParameter
from entropy_sums.models.model import Model
from entropy_sums.models.settings import ENUMERABLE_LATENTS

ENTRIES_AT_ONCE = 2**22
"""Log-probabilities of states given points that the likelihood holds at once."""


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

    Example:
        >>> from entropy_sums.models import MODELS, build
        >>> model = build([MODELS["sbn"](depth=2)], 3, [torch.Generator().manual_seed(0)])
        >>> model.factors
        ('prior', 'layer_1', 'observation')
        >>> model.bound(torch.ones(5, 3), torch.zeros(1, 5, 4)).elbo.shape
        torch.Size([1])
    """

    def __init__(self, blueprint: Blueprint) -> None:
        s = blueprint.shared
        super().__init__(len(blueprint.replicas), s.latent_dim, noise_dim=s.depth * s.latent_dim)
        self.depth, self.prior_bias = s.depth, PRIORS[s.prior](blueprint)
        sizes = [blueprint.observed_dim] + [s.latent_dim] * s.depth
        encoder, decoder = [s.encoder_width] * s.encoder_depth, [s.decoder_width] * s.decoder_depth
        self.encoders = nn.ModuleList(_conditional(blueprint, [a, *encoder, b]) for a, b in pairwise(sizes))
        self.decoders = nn.ModuleList(_conditional(blueprint, [b, *decoder, a]) for a, b in pairwise(sizes))

    @property
    def factors(self) -> tuple[str, ...]:
        return ("prior", *(f"layer_{number}" for number in range(self.depth - 1, 0, -1)), "observation")

    def prior(self) -> Bernoulli:
        """p of the highest layer, batch shape `(replica, 1)`, event `(H,)`."""
        return Bernoulli(self.prior_bias.expand(-1, 1, self.latent_dim))

    def posterior(self, x: Tensor) -> Bernoulli:
        """q of the lowest layer; `latent_entropy`, too, is of these latents."""
        return self.encoders[0](x)

    def bound(self, x: Tensor, noise: Tensor, posterior: Bernoulli | None = None) -> Bound:
        return self._bound(self._sample(x, noise, posterior), self._antithetic)

    def log_weights(self, x: Tensor, noise: Tensor, posterior: Bernoulli | None = None) -> Tensor:
        """log p(x, z) − log q(z given x) in nats of S posterior samples per point, `(replica, S·N)`."""
        climb = self._sample(x, noise, posterior).climb
        return self._log_joint(climb) - _log_q(climb)

    def log_likelihood(self, x: Tensor) -> Tensor | None:
        """Exact by enumeration up to 12 latents in all layers."""
        if self.depth * self.latent_dim > ENUMERABLE_LATENTS:
            return None
        z = self._all_states()
        latent = estimators.log_probs(self.prior().logits, z).squeeze(1)
        for decoder in reversed(self.decoders[1:]):
            latent = (estimators.log_probs(decoder(z).logits, z) + latent.unsqueeze(-1)).logsumexp(1)
        logits = self.decoders[0](z).logits
        size = max(1, ENTRIES_AT_ONCE // latent.numel())
        parts = [estimators.log_probs(logits, part) + latent.unsqueeze(-1) for part in x.split(size, dim=-2)]
        return self.mean(torch.cat([part.logsumexp(1) for part in parts], dim=1))

    def _bound(self, sample: Sample, score: Callable[[Sample], Tensor]) -> Bound:
        """The bound of a sample; `score` has the gradient of what depends on states, `(replica, …)`."""
        climb, prior = sample.climb, self.prior()
        posterior_entropy = self.mean(total(q.entropy() for q in climb.posteriors))
        if torch.is_grad_enabled():
            posterior_entropy = posterior_entropy + self.mean(score(sample))
        factors = {"prior": Factor(self.mean(cross_entropy(climb.posteriors[-1], prior)), self.mean(prior.entropy()))}
        conditionals = zip(self.factors[1:], climb.conditionals[::-1], climb.log_probs[::-1], strict=True)
        for name, p, log_prob in conditionals:
            factors[name] = Factor(-self.mean(log_prob), lambda p=p: self.mean(p.entropy()))
        return Bound(posterior_entropy, factors)

    def _sample(self, x: Tensor, noise: Tensor, posterior: Bernoulli | None = None) -> Sample:
        number = noise.shape[1] // x.shape[-2]
        first = posterior or self.posterior(x)
        if number > 1:
            x, first = torch.cat([x] * number, dim=-2), Bernoulli(torch.cat([first.logits] * number, dim=1))
        uniforms = list(estimators.uniform(noise).split(self.latent_dim, dim=-1))
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
        """log p(x, z) of a climb from the lowest layer, `(replica, rows)`."""
        return self.prior().log_prob(climb.states[-1]) + total(climb.log_probs)

    def _signals(self, climb: Climb) -> list[Tensor]:
        """For every layer of a climb the part of the elbo that its state has an influence on, `(replica, rows)`."""
        gains = [q.entropy() for q in climb.posteriors]
        gains[-1] = gains[-1] - cross_entropy(climb.posteriors[-1], self.prior())
        above = [*gains[1:], torch.zeros_like(climb.log_probs[-1])]
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
        return estimators.all_states(self.latent_dim, self.prior_bias).unsqueeze(0)


class ReinforcedSBN(SBN):
    """Trained with the score function, the mean of the other samples of a point as baseline at every layer."""

    def objective(self, x: Tensor, noise: Tensor) -> Tensor:
        return self._bound(self._sample(x, noise), self._leave_one_out).elbo

    def _leave_one_out(self, sample: Sample) -> Tensor:
        climb = sample.climb
        with torch.no_grad():
            signals = self._signals(climb)
        log_qs = [q.log_prob(state) for q, state in zip(climb.posteriors, climb.states, strict=True)]
        layers = zip(map(sample.split, signals), map(sample.split, log_qs), strict=True)
        return total(estimators.reinforce(signal, log_q) for signal, log_q in layers).movedim(0, 1)


class ImportanceWeightedSBN(SBN):
    """Trained on the importance-weighted bound by VIMCO, so that the gap of the ELBO need not vanish at the end."""

    def objective(self, x: Tensor, noise: Tensor) -> Tensor:
        sample = self._sample(x, noise)
        log_q = _log_q(sample.climb)
        log_weights = self._log_joint(sample.climb) - log_q
        return self.mean(estimators.vimco(sample.split(log_weights), sample.split(log_q)))


class EnumeratedSBN(SBN):
    """Every expectation is a sum over all states: no noise, exact gradients, for a dozen latents.

    Above the lowest layer nothing depends on the point, but for the aggregate posterior that it is weighted with.
    """

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint)
        self.noise_dim = 0

    def bound(self, x: Tensor, noise: Tensor, posterior: Bernoulli | None = None) -> Bound:
        first, z, prior = posterior or self.posterior(x), self._all_states(), self.prior()
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
        surprise = -_expected(aggregate, estimators.log_probs(prior.logits, z).squeeze(1))
        factors.append(Factor(surprise, self.mean(prior.entropy())))
        return Bound(total(entropies), dict(zip(self.factors, factors[::-1], strict=True)))


ESTIMATORS: dict[str, type[SBN]] = {
    "enumeration": EnumeratedSBN,
    "reinforce": ReinforcedSBN,
    "vimco": ImportanceWeightedSBN,
    "disarm": SBN,
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
    return ESTIMATORS[blueprint.shared.estimator](blueprint)


def _log_q(climb: Climb) -> Tensor:
    """log q(z given x) of a climb, `(replica, rows)`."""
    return total(q.log_prob(state) for q, state in zip(climb.posteriors, climb.states, strict=True))


def _conditional(blueprint: Blueprint, sizes: Sequence[int]) -> NaturalParameter:
    *hidden, last = blueprint.layers(sizes)
    return NaturalParameter(Bernoulli, nn.Sequential(Trunk(hidden, blueprint.shared.activation), last))


def _expected(weights: Tensor, value: Tensor) -> Tensor:
    """Expectation over states, `(replica, states)` → `(replica,)`."""
    return (weights * value).sum(1)
