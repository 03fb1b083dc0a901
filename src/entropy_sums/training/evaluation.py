"""Evaluation at one step: the bound on a whole dataset, with standard errors and the gradient norm."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from entropy_sums.bound import Bound
from entropy_sums.certificates.certificate import Certificate
from entropy_sums.draws import normal
from entropy_sums.models.abilities import Annealed
from entropy_sums.models.model import Model, factors_of
from entropy_sums.training.randomness import Purpose, generator

Record = dict[str, np.ndarray]

ENTRIES_PER_CHUNK = 2**20


class _Side(NamedTuple):
    """Both sides of the identity of a certificate at some parameters, `(replica, factor)`.

    Attributes:
        along: derivative of the ELBO along the direction; NaN without a certificate.
        gaps: gap of each factor.
        terms: sum of the absolute terms that cancel in the gap.
    """

    along: np.ndarray
    gaps: np.ndarray
    terms: np.ndarray

    def agrees(self, rounding: float) -> np.ndarray:
        """Whether the sides differ by no more than rounding may amount to in training, `(replica, factor)`.

        Args:
            rounding: precision of training. Half of its digits may be lost, as derivatives of all factors cancel.
        """
        scale = 1 + np.abs(self.gaps).sum(1, keepdims=True) + self.terms.sum(1, keepdims=True)
        return np.abs(self.along - self.gaps) <= math.sqrt(rounding) * scale


class Evaluation:
    r"""Evaluation of the bound of every replica on one dataset.

    The bound is estimated S = `samples` times, with independent posterior samples for every point. The values are
    means $\bar F$ of the S estimates, with standard errors $s/\sqrt{S}$. An annealed partition function adds its own
    error. The standard errors measure Monte Carlo noise; the data are taken as given. Sums over points are accumulated
    in float64.

    Args:
        data: `(N, D)`.
        seeds: one per replica.
        purpose: purpose of the noise, which differs between training and held-out data.
        certificate: certificate of the model; with a gradient, the derivative along its direction is recorded.
        closing: the model with the entropies that close the gap at stationary points of the objective, and its
            certificate; None where the model has these entropies itself.
        chosen: indices `(replica, M)` of the points of each replica; None for all points. Only for `estimates`.
    """

    def __init__(
        self,
        data: Tensor,
        seeds: Sequence[int],
        samples: int,
        purpose: Purpose,
        certificate: Certificate | None = None,
        closing: tuple[Model, Certificate] | None = None,
        chosen: Tensor | None = None,
    ) -> None:
        self.data, self.seeds, self.samples, self.purpose = data, seeds, samples, purpose
        self.certificate, self.closing, self.chosen = certificate, closing, chosen

    def __call__(
        self,
        model: Model,
        step: int,
        gradient: bool = False,
        penalties: np.ndarray | None = None,
        samples: int | None = None,
    ) -> Record:
        """Record of `model` at `step`; with `gradient` also the norm of the gradient of the ELBO.

        The bound is estimated `samples` times instead of S times where given. The gradient always has S samples, so
        that its norm can be compared along a trace.

        `penalties` holds the λ of the penalty (λ/2)‖θ‖² of each replica; NaN marks an objective other than the ELBO.
        With it, the record has the gap that a stationary point of the objective would have. This gap is λ v·θ, plus
        the difference between the entropies of the model and the entropies that close the gap.

        Shapes: `(replica,)`, `(replica, factor)` for quantities of a factor, `(replica, H)` for quantities of a latent.
        """
        for parameter in model.parameters():
            parameter.grad = None
        with torch.set_grad_enabled(gradient):
            estimates = self.estimates(model, step, gradient=gradient, number=samples)
        with torch.no_grad():
            record = _summarise(estimates, self.partition_errors(model, step))
            record["latent_entropy"] = as_numpy(self.mean(model.replicas, lambda c: model.latent_entropy(self.data[c])))
            likelihood = model.log_likelihood(self.data)
        if likelihood is not None:
            record["log_likelihood"] = as_numpy(likelihood)
        if gradient:
            squares = [p.grad.double().flatten(1).square().sum(1) for p in model.parameters() if p.grad is not None]
            record["gradient_norm"] = as_numpy(torch.stack(squares).sum(0).sqrt())
            if self.certificate is not None:
                self._widen(model, step, len(estimates))
                along = record["directional_derivative"] = self.certificate.along(model, self.data)
                if penalties is not None:
                    own = _side(along, estimates)
                    record["stationary_gap"] = self._stationary_gap(model, step, penalties, own, len(estimates))
            for parameter in model.parameters():
                parameter.grad = None
        return record

    def partition_errors(self, model: Model, step: int) -> Mapping[str, Tensor]:
        """Standard errors that an annealed partition function adds at a step, `(replica,)`; empty without one."""
        return model.partition_errors(self.noise(model, step, 0)) if isinstance(model, Annealed) else {}

    def _widen(self, model: Model, step: int, number: int) -> None:
        """Extend the gradient from S samples to all estimates of a record, so that it equals their gap along v."""
        if not model.noise_dim or number <= self.samples:
            return
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.grad *= self.samples / number
        for first in range(self.samples, number, self.samples):
            chosen = range(first, min(first + self.samples, number))
            self._some(model, (step,), chosen, gradient=len(chosen) / number)

    def _stationary_gap(self, model: Model, step: int, penalties: np.ndarray, own: _Side, number: int) -> np.ndarray:
        """Gap of each factor that a stationary point would have; NaN where the identity fails at these parameters."""
        certificate, side = self.certificate, own
        assert certificate is not None
        difference: np.ndarray | float = 0.0
        if self.closing is not None:
            closing, certificate = self.closing
            closing.load_state_dict(model.state_dict())
            # Both models have the same objective, hence the same gradient
            side = _side(certificate.along(model, self.data), self.estimates(closing, step, number=number))
            difference = own.gaps - side.gaps
        if (penalties == 0).all():
            predicted = np.zeros((model.replicas, 1)) + difference
        else:
            predicted = penalties[:, None] * certificate.along_parameters(model, self.data) + difference
        return np.where(side.agrees(torch.finfo(self.data.dtype).eps), predicted, np.nan)

    @property
    def points(self) -> int:
        """Number of points of a replica."""
        return len(self.data) if self.chosen is None else self.chosen.shape[1]

    def at_once(self, replicas: int) -> int:
        """Number of points that are computed at once."""
        return max(1, ENTRIES_PER_CHUNK // (replicas * self.data.shape[1]))

    def chunks(self, replicas: int) -> list[slice]:
        """Slices of the points, each small enough to be computed at once."""
        points, size = self.points, self.at_once(replicas)
        return [slice(start, min(start + size, points)) for start in range(0, points, size)]

    def estimates(
        self, model: Model, *position: int, gradient: bool = False, number: int | None = None
    ) -> list[dict[str, Tensor]]:
        """Estimates of the bound, one per posterior sample.

        S estimates share one posterior, which costs as much as an observation. Without noise all estimates are equal,
        and one of them is computed. With `gradient`, the gradient of the mean of the first S is added to the gradients
        of the parameters.

        Args:
            position: position of the noise within its purpose, such as the step of the record.
            number: number of estimates, by default S.
        """
        wanted = self.samples if number is None else number
        if not model.noise_dim:
            return self._some(model, position, range(1), float(gradient)) * wanted
        estimates: list[dict[str, Tensor]] = []
        for first in range(0, wanted, self.samples):
            chosen = range(first, min(first + self.samples, wanted))
            with torch.set_grad_enabled(gradient and first == 0):
                estimates += self._some(model, position, chosen, float(gradient and first == 0))
        return estimates

    def _some(self, model: Model, position: Sequence[int], samples: range, gradient: float) -> list[dict[str, Tensor]]:
        """Estimates with the noise of these samples, which are in memory at the same time.

        Args:
            gradient: weight with which the gradient of their mean is added to the gradients of the parameters.
        """
        noises = [self.noise(model, *position, sample) for sample in samples]
        totals: list[dict[str, Tensor]] = [{} for _ in noises]
        for chunk in self.chunks(model.replicas):
            share = (chunk.stop - chunk.start) / self.points
            x = self.data[chunk if self.chosen is None else self.chosen[:, chunk]]
            posterior = model.posterior(x)
            bounds = [model.bound(x, noise[:, chunk], posterior) for noise in noises]
            if gradient:
                elbo = torch.stack([bound.elbo for bound in bounds]).sum()
                (elbo * (gradient * share / len(noises))).backward()
            for total, bound in zip(totals, bounds, strict=True):
                for name, value in _values(model, bound).items():
                    term = value.detach() * share
                    total[name] = total[name] + term if name in total else term
        return totals

    def noise(self, model: Model, *position: int) -> Tensor:
        """Standard normal numbers for a posterior sample of every point, `(replica, points, noise_dim)`.

        Args:
            position: position within the purpose: position of the estimate, then number of the sample.
        """
        noise = self.data.new_empty(model.replicas, self.points, model.noise_dim)
        for row, seed in zip(noise, self.seeds, strict=True):
            normal(row, generator(seed, self.purpose, *position, device=row.device))
        return noise

    def mean(self, replicas: int, function: Callable[[slice], Tensor]) -> Tensor:
        """Mean over all points, from a function that gives the mean over a slice of them."""
        chunks = self.chunks(replicas)
        shares = [(chunk.stop - chunk.start) / self.points for chunk in chunks]
        return torch.stack([s * function(c) for c, s in zip(chunks, shares, strict=True)]).sum(0)


def _values(model: Model, bound: Bound) -> dict[str, Tensor]:
    factors = factors_of(model, bound)
    return {
        "elbo": bound.elbo,
        "entropy_sum": bound.entropy_sum,
        "gap": bound.gap,
        "posterior_entropy": bound.posterior_entropy,
        "cross_entropy": torch.stack([factor.cross_entropy for factor in factors], dim=-1),
        "entropy": torch.stack([factor.entropy for factor in factors], dim=-1),
    }


def _side(along: np.ndarray, estimates: list[dict[str, Tensor]]) -> _Side:
    """Both sides of the identity, with the gaps of some estimates."""
    entropy, cross_entropy = (_factor_means(estimates, name) for name in ("entropy", "cross_entropy"))
    return _Side(along, entropy - cross_entropy, np.abs(entropy) + np.abs(cross_entropy))


def _factor_means(estimates: list[dict[str, Tensor]], name: str) -> np.ndarray:
    """A quantity of each factor, mean over estimates, `(replica, factor)`."""
    return as_numpy(torch.stack([estimate[name] for estimate in estimates]).mean(0))


def _summarise(estimates: list[dict[str, Tensor]], shared_errors: Mapping[str, Tensor]) -> Record:
    """Means over estimates, and standard errors, which include the errors that all estimates share."""
    record: Record = {}
    for name in estimates[0]:
        values = torch.stack([estimate[name] for estimate in estimates])
        record[name] = as_numpy(values.mean(0))
        if name in ("elbo", "entropy_sum", "gap"):
            error = values.std(0) / math.sqrt(len(estimates))
            record[f"{name}_standard_error"] = as_numpy(error.hypot(shared_errors.get(name, torch.zeros_like(error))))
    return record


def as_numpy(value: Tensor) -> np.ndarray:
    """Values as a float64 array on the CPU, for the record."""
    return value.detach().cpu().numpy().astype(np.float64)
