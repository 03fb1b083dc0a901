"""Belief networks whose bound is estimated with posterior samples, and the estimators of its gradient."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import accumulate
from typing import NamedTuple

import torch
from torch import Tensor

from entropy_sums import estimators
from entropy_sums.bound import Bound, Factor, total
from entropy_sums.distributions import Bernoulli
from entropy_sums.distributions.family import repeated
from entropy_sums.models.binary.draws import Draws
from entropy_sums.models.binary.network import BeliefNetwork, Prior
from entropy_sums.models.blueprint import Blueprint


@dataclass(frozen=True)
class Climb:
    """Posterior sample of a layer and of all layers above it, drawn from below.

    Attributes:
        posteriors: q of each layer given the sample below.
        states: the samples, `(replica, rows, H)`.
        conditionals: p of the layer below each layer, given its sample.
        log_probs: log-probability of the layer below each layer, in nats, `(replica, rows)`.
    """

    posteriors: list[Bernoulli]
    states: list[Tensor]
    conditionals: list[Bernoulli]
    log_probs: list[Tensor]

    def directed(self) -> Tensor:
        """Sum of the entropies of all q and of the log-probabilities of all conditionals, `(replica, rows)`."""
        return total([*(q.entropy() for q in self.posteriors), *self.log_probs])

    def log_qs(self) -> list[Tensor]:
        """Log-probabilities of the samples under q of their layers, `(replica, rows)`."""
        return [q.log_prob(state) for q, state in zip(self.posteriors, self.states, strict=True)]


@dataclass(frozen=True)
class Sample:
    """S posterior samples per point.

    Attributes:
        number: number S of samples per point.
        x: `(replica or none, S·N, D)`, all points of one sample after the other.
        uniforms: uniform numbers of each layer, `(replica, S·N, H)`.
        climb: the climb from the lowest layer.
    """

    number: int
    x: Tensor
    uniforms: list[Tensor]
    climb: Climb

    def split(self, value: Tensor) -> Tensor:
        """Split the axis of samples and points, `(replica, S·N)` → `(S, replica, N)`."""
        return value.unflatten(1, (self.number, -1)).movedim(1, 0)


class SampledNetwork(BeliefNetwork):
    """A belief network whose bound is estimated with posterior samples.

    The gradient of the elbo is estimated by antithetic pairs (DisARM), layer by layer: both members of a pair use the
    same noise in the layers above. Source: Dong, Mnih and Tucker (NeurIPS 2020).

    Attributes:
        estimator: gradient estimator in training.
    """

    def __init__(self, blueprint: Blueprint, prior: Prior) -> None:
        s = blueprint.shared
        estimator = ESTIMATORS[s.estimator]
        super().__init__(blueprint, prior, max(s.directed * s.latent_dim, prior.noise_dim, estimator.noise_dim))
        self.estimator = estimator

    def bound(self, x: Tensor, noise: Tensor, posterior: Bernoulli | None = None) -> Bound:
        sample, prior = self.sample(x, noise, posterior), self.prior
        climb, z = sample.climb, sample.climb.states[-1]
        hidden_entropy = prior.hidden_entropy(z)
        posterior_entropy = self.mean(total(q.entropy() for q in climb.posteriors) + hidden_entropy)
        if torch.is_grad_enabled():
            posterior_entropy = posterior_entropy + self.mean(self.antithetic(sample))
        surprise = prior.log_z(noise) + self.mean(hidden_entropy - total(prior.gains(climb.posteriors[-1], z)))
        factors = {prior.factor: Factor(surprise, lambda: prior.entropy(noise))}
        conditionals = zip(self.factors[1:], climb.conditionals[::-1], climb.log_probs[::-1], strict=True)
        for name, p, log_prob in conditionals:
            factors[name] = Factor(-self.mean(log_prob), lambda p=p: self.mean(p.entropy()))
        return Bound(posterior_entropy, factors)

    @abstractmethod
    def objective(self, x: Tensor, noise: Tensor) -> Tensor: ...

    @property
    def sample_dim(self) -> int:
        return self.noise_dim

    def log_weights(self, x: Tensor, noise: Tensor, posterior: Bernoulli | None = None) -> Tensor:
        """log p(x, z) − log q(z given x) in nats of S posterior samples per point, `(replica, S·N)`."""
        climb = self.sample(x, noise, posterior).climb
        return self.log_joint(climb) - self.prior.log_z(noise).unsqueeze(1) - total(climb.log_qs())

    def trained(self, x: Tensor, noise: Tensor, score: Callable[[Sample], Tensor]) -> Tensor:
        """Elbo of samples; `score` supplies the gradient through the sampled states, `(replica, …)`."""
        sample = self.sample(x, noise)
        climb = sample.climb
        learned = self.prior.learn(climb.posteriors[-1], climb.states[-1], noise)
        return self.mean(climb.directed()) + self.mean(score(sample)) + learned

    def sample(self, x: Tensor, noise: Tensor, posterior: Bernoulli | None = None) -> Sample:
        """Draw S posterior samples per point, `noise` and `posterior` as for `bound`."""
        number = noise.shape[1] // x.shape[-2]
        first = posterior or self.posterior(x)
        if number > 1:
            x, first = repeated(x, number), Bernoulli(repeated(first.logits, number))
        needed = noise[..., : self.depth * self.latent_dim]
        uniforms = list(estimators.uniform(needed).split(self.latent_dim, dim=-1))
        return Sample(number, x, uniforms, self._climb(x, first, uniforms))

    def _climb(self, below: Tensor, posterior: Bernoulli, uniforms: Sequence[Tensor]) -> Climb:
        """Climb from the layer with this posterior to the top, with uniform numbers for each of these layers."""
        posteriors, states = [posterior], [estimators.states(posterior.logits, uniforms[0])]
        start = self.depth - len(uniforms)
        for encoder, numbers in zip(self.encoders[start + 1 :], uniforms[1:], strict=True):
            posteriors.append(encoder(states[-1]))
            states.append(estimators.states(posteriors[-1].logits, numbers))
        conditionals = [decoder(state) for decoder, state in zip(self.decoders[start:], states, strict=True)]
        values = [below, *states[:-1]]
        log_probs = [p.log_prob(value) for p, value in zip(conditionals, values, strict=True)]
        return Climb(posteriors, states, conditionals, log_probs)

    def log_joint(self, climb: Climb) -> Tensor:
        """log p(x, z) + log Z of a climb from the lowest layer, `(replica, rows)`."""
        return self.prior.marginal(climb.states[-1]) + total(climb.log_probs)

    def signals(self, climb: Climb) -> list[Tensor]:
        """Part of the elbo that the state of a layer influences, for every layer of a climb, `(replica, rows)`."""
        known, decided = self.prior.gains(climb.posteriors[-1], climb.states[-1])
        *gains, highest = [q.entropy() for q in climb.posteriors]
        above = [*gains, highest + known, decided][1:]
        parts = [log_prob + gain for log_prob, gain in zip(climb.log_probs, above, strict=True)]
        return list(accumulate(parts[::-1]))[::-1]

    def antithetic(self, sample: Sample) -> Tensor:
        """DisARM score: at every layer a second climb takes the antithetic state and continues with the same noise."""
        climb, uniforms, scores = sample.climb, sample.uniforms, []
        below = [sample.x, *climb.states]
        with torch.no_grad():
            signals = self.signals(climb)
        for layer, posterior in enumerate(climb.posteriors):
            with torch.no_grad():
                other = self._climb(below[layer], posterior, [1 - uniforms[layer], *uniforms[layer + 1 :]])
                difference = signals[layer] - self.signals(other)[0]
            scores.append(estimators.disarm(difference, climb.states[layer], other.states[0], posterior.logits))
        return total(scores)


class Estimator(NamedTuple):
    """Estimator of the gradient in training.

    Attributes:
        objective: network, points and noise ↦ value with the gradient, `(replica,)`.
        noise_dim: number of standard normal numbers besides those of the posterior samples; 0 for none.
    """

    objective: Callable[[SampledNetwork, Tensor, Tensor], Tensor]
    noise_dim: int = 0


def _disarm(network: SampledNetwork, x: Tensor, noise: Tensor) -> Tensor:
    return network.trained(x, noise, network.antithetic)


def _reinforce(network: SampledNetwork, x: Tensor, noise: Tensor) -> Tensor:
    """Score-function estimator; the baseline at every layer is the mean of the other samples of a point."""
    return network.trained(x, noise, partial(_leave_one_out, network))


def _leave_one_out(network: SampledNetwork, sample: Sample) -> Tensor:
    climb = sample.climb
    with torch.no_grad():
        signals = network.signals(climb)
    layers = zip(map(sample.split, signals), map(sample.split, climb.log_qs()), strict=True)
    return total(estimators.reinforce(signal, log_q) for signal, log_q in layers).movedim(0, 1)


def _vimco(network: SampledNetwork, x: Tensor, noise: Tensor) -> Tensor:
    """Importance-weighted bound; the gap of the ELBO need not vanish at its stationary points."""
    sample = network.sample(x, noise)
    # log Z comes first, as the prior may reparametrise itself in place while it learns
    log_z = network.prior.training_log_z(sample.climb.states[-1], noise)
    log_q = total(sample.climb.log_qs())
    log_weights = network.log_joint(sample.climb) - log_q
    return network.mean(estimators.vimco(sample.split(log_weights), sample.split(log_q))) - log_z


def _wake_sleep(network: SampledNetwork, x: Tensor, noise: Tensor) -> Tensor:
    """Wake-sleep: the model learns from posterior samples of the data, the posterior from samples of the model.

    The gradient of the model is the gradient of the ELBO, so its stationary points close the gap for any posterior.
    The posterior ascends the mean of log q(z given x) over samples of the model. Source: Hinton, Dayan, Frey and Neal
    (Science 1995); with a Boltzmann machine on top, the up-down algorithm of Hinton, Osindero and Teh (Neural
    Computation 2006), whose model samples begin at the highest posterior states.
    """
    climb, draws = network.sample(x, noise).climb, Draws(noise)
    z, highest = climb.states[-1], Bernoulli(climb.posteriors[-1].logits.detach())
    awake = network.mean(total(climb.log_probs)) + network.prior.learn(highest, z, noise)
    with torch.no_grad():
        dream = network.descend(network.prior.dream(z, draws), draws)
    layers = zip(network.encoders, dream[:-1], dream[1:], strict=True)
    return awake + network.mean(total(encoder(below).log_prob(state) for encoder, below, state in layers))


ESTIMATORS = {
    "reinforce": Estimator(_reinforce),
    "vimco": Estimator(_vimco),
    "disarm": Estimator(_disarm),
    "wake_sleep": Estimator(_wake_sleep, Draws.noise_dim),
}
"""Name of an estimator of the gradient → the estimator."""
