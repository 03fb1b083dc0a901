"""What is recorded once, at the end of training: the latents, and estimates from few held-out points."""

from __future__ import annotations

import torch
from torch import Tensor

from entropy_sums.distributions import FullNormal, Normal
from entropy_sums.models.model import Model
from entropy_sums.training.evaluation import Evaluation, Record, as_numpy
from entropy_sums.training.randomness import Stream, generator
from entropy_sums.training.settings import EvaluationSettings

SUBSET_VALUES = ("elbo", "entropy_sum", "posterior_entropy", "cross_entropy", "entropy")


def latents(model: Model, evaluation: Evaluation) -> Record:
    r"""Moments of a normal posterior with mean $\nu$ and variance $\tau^2$, latent by latent, `(replica, H)`.

    The means over points of $\nu_h^2$ and of $\tau_h^2$, which add up to 1 at stationary points of a VAE-1, and the
    variance over points of $\nu_h$, by which Burda et al. (ICLR 2016) tell which latents are active. Of other
    posteriors nothing.
    """

    def moments(chunk: slice) -> Tensor:
        q = model.posterior(evaluation.data[chunk])
        assert isinstance(q, Normal | FullNormal)
        shape = model.replicas, chunk.stop - chunk.start, model.latent_dim
        mean, variance = (value.expand(shape).double() for value in (q.mean, q.variance))
        return torch.stack([mean, mean.square(), variance]).mean(2)

    with torch.no_grad():
        if not isinstance(model.posterior(evaluation.data[:1]), Normal | FullNormal):
            return {}
        mean, square, variance = evaluation.mean(model.replicas, moments)
    found = {"square": square, "variance": variance, "spread": square - mean.square()}
    return {f"latent_{name}": as_numpy(value) for name, value in found.items()}


def subsets(model: Model, heldout: Evaluation, settings: EvaluationSettings) -> Record:
    """The bound estimated from random subsets of the held-out points, `(replica, subset, estimate)` and factors.

    Every replica draws its points without replacement. What is drawn depends on seed, size and number of the estimate
    only: further sizes and estimates leave the others as they are. Damm et al. (AISTATS 2023), table 1.
    """
    if not settings.subset_sizes:
        return {}
    with torch.no_grad():
        sizes = [
            [_subset(model, heldout, size, number) for number in range(settings.subset_estimates)]
            for size in settings.subset_sizes
        ]
    return {
        f"subset_{name}": as_numpy(torch.stack([torch.stack([e[name] for e in size], 1) for size in sizes], 1))
        for name in SUBSET_VALUES
    }


def _subset(model: Model, heldout: Evaluation, size: int, number: int) -> dict[str, Tensor]:
    """One estimate, the mean over posterior samples."""
    data = heldout.data
    sources = [generator(seed, Stream.SUBSETS, size, number, device=data.device) for seed in heldout.seeds]
    chosen = torch.stack([torch.randperm(len(data), generator=s, device=data.device)[:size] for s in sources])
    evaluation = Evaluation(data, heldout.seeds, heldout.samples, Stream.SUBSETS, chosen=chosen)
    estimates = evaluation.estimates(model, size, number)
    return {name: torch.stack([estimate[name] for estimate in estimates]).mean(0) for name in SUBSET_VALUES}
