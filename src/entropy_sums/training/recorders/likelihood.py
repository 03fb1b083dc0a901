r"""Estimates of the log-likelihood that are too expensive for every recorded step, with intervals for their error.

The importance-weighted bound (Burda, Grosse and Salakhutdinov, ICLR 2016) of K posterior samples per point,

$$\frac1N \sum_n \mathbb E \Bigl[\log \frac1K \sum_{k=1}^K \frac{p(x_n, z_k)}{q(z_k \mid x_n)}\Bigr],$$

is the ELBO at K = 1, grows with K, and is never more than the log-likelihood. For a model with a partition function,
annealed importance sampling (AIS) gives two estimates (`entropy_sums.ais`). Forward AIS underestimates log Z and
overestimates the log-likelihood on average; reverse AIS does the opposite. Where the posterior is approximate, both
estimate the ELBO and are named so.

Each estimate has the limits of a 95 % interval for its Monte Carlo error; the data are taken as given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from entropy_sums.ais import TWO_SIDED, Estimate
from entropy_sums.draws import normal
from entropy_sums.models.abilities import Annealed, Weighted
from entropy_sums.models.model import Model
from entropy_sums.training.evaluation import Evaluation, Record
from entropy_sums.training.randomness import Purpose, generator
from entropy_sums.training.recorders.base import Recorder, Subject


class ImportanceWeighted(Recorder):
    """The importance-weighted bound with its limits, `(replica,)` each.

    A model that sums over all states of its latents has an exact likelihood instead.
    """

    @classmethod
    def applies(cls, subject: Subject) -> bool:
        model = subject.model
        return subject.settings.importance_samples > 0 and isinstance(model, Weighted)

    def at_end(self, step: int) -> Record:
        found = {}
        with torch.no_grad():
            for prefix, evaluation in self.subject.evaluations.items():
                weights = [
                    log_mean_weights(self.model, evaluation, self.subject.settings.importance_samples, number)
                    for number in range(evaluation.samples)
                ]
                bound = _less(_mean(torch.stack(weights)), _partition_error(self.model, evaluation, step))
                found[f"{prefix}importance_weighted_bound"] = bound
        return _with_limits(found)


class Annealing(Recorder):
    """The log-likelihood by forward and by reverse annealing with their limits, `(replica,)` each."""

    @classmethod
    def applies(cls, subject: Subject) -> bool:
        return subject.settings.annealing_temperatures > 0 and isinstance(subject.model, Annealed)

    def at_end(self, step: int) -> Record:
        model, evaluations, found = self.model, self.subject.evaluations, {}
        assert isinstance(model, Annealed)
        seeds, data = evaluations[""].seeds, evaluations[""].data
        with torch.no_grad():
            noise = data.new_empty(self.model.replicas, 1, self.model.noise_dim)
            _fill(noise, [generator(seed, Purpose.LIKELIHOOD, device=noise.device) for seed in seeds])
            bracket = model.bracket(noise, self.subject.settings.annealing_temperatures)
            of = "" if model.exact_posterior else "elbo_"
            for prefix, evaluation in evaluations.items():
                # The posterior samples are those of the record at this step
                samples = [_unnormalised(model, evaluation, step, number) for number in range(evaluation.samples)]
                unnormalised = _mean(torch.stack(samples))
                for way, log_z in zip(("forward", "reverse"), bracket, strict=True):
                    found[f"{prefix}{of}{way}_ais"] = _less(unnormalised, log_z)
        return _with_limits(found)


def _with_limits(found: Mapping[str, Estimate]) -> Record:
    """Each estimate with the limits `…_low` and `…_high` of a 95 % interval for its Monte Carlo error."""
    limits = {"": "value", "_low": "lower", "_high": "upper"}
    return {
        f"{name}{suffix}": getattr(estimate, limit).cpu().numpy()
        for name, estimate in found.items()
        for suffix, limit in limits.items()
    }


def log_mean_weights(model: Model, evaluation: Evaluation, samples: int, number: int) -> Tensor:
    """Logarithm of the mean importance weight of every point, `(replica, N)`, in float64.

    Args:
        samples: number of posterior samples per point.
        number: number of the estimate; each estimate has its own posterior samples.
    """
    assert isinstance(model, Weighted)
    data, chunks = evaluation.data, evaluation.chunks(model.replicas)
    posteriors = [model.posterior(data[chunk]) for chunk in chunks]
    position = Purpose.LIKELIHOOD, evaluation.purpose, number
    generators = [generator(seed, *position, device=data.device) for seed in evaluation.seeds]
    total = torch.full((model.replicas, len(data)), -math.inf, dtype=torch.float64, device=data.device)
    most = max(1, evaluation.at_once(model.replicas) // len(data))
    for together in torch.arange(samples).split(most):
        noise = data.new_empty(model.replicas, len(together), len(data), model.sample_dim)
        for part in noise.unbind(1):
            _fill(part, generators)
        for chunk, posterior in zip(chunks, posteriors, strict=True):
            log_weights = model.log_weights(data[chunk], noise[:, :, chunk].flatten(1, 2), posterior)
            sums = log_weights.double().unflatten(1, (len(together), -1)).logsumexp(1)
            total[:, chunk] = torch.logaddexp(total[:, chunk], sums)
    return total - math.log(samples)


def _mean(values: Tensor) -> Estimate:
    """Mean of independent estimates for every point, `(estimate, replica, N)`, which differ by Monte Carlo error."""
    value = values.mean((0, 2))
    error = (values.var(0).sum(1) / len(values)).sqrt() / values.shape[2]
    return Estimate(value, value - TWO_SIDED * error, value + TWO_SIDED * error)


def _unnormalised(model: Annealed, evaluation: Evaluation, step: int, sample: int) -> Tensor:
    """Value of every point without its log Z, `(replica, N)`, in float64."""
    assert isinstance(model, Model)
    data, noise = evaluation.data, evaluation.noise(model, step, sample)
    parts = [model.unnormalised(data[c], noise[:, c]) for c in evaluation.chunks(model.replicas)]
    return torch.cat(parts, dim=1).double()


def _partition_error(model: Model, evaluation: Evaluation, step: int) -> Estimate:
    """Error of the log Z that the model already has, as an estimate of zero."""
    nothing = torch.zeros(model.replicas, dtype=torch.float64, device=evaluation.data.device)
    half = TWO_SIDED * evaluation.partition_errors(model, step).get("elbo", nothing)
    return Estimate(nothing, -half, half)


def _less(value: Estimate, log_z: Estimate) -> Estimate:
    """The difference of two independent estimates."""
    difference = value.value - log_z.value
    below = torch.hypot(value.value - value.lower, log_z.upper - log_z.value)
    above = torch.hypot(value.upper - value.value, log_z.value - log_z.lower)
    return Estimate(difference, difference - below, difference + above)


def _fill(noise: Tensor, generators: Sequence[torch.Generator]) -> None:
    """Fill with standard normal numbers, every replica from its own generator."""
    for row, source in zip(noise, generators, strict=True):
        normal(row, source)
