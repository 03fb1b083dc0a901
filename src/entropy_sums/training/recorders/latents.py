"""Moments of the latents at the end of training."""

from __future__ import annotations

import torch
from torch import Tensor

from entropy_sums.distributions import FullNormal, Normal
from entropy_sums.training.evaluation import Record, as_numpy
from entropy_sums.training.recorders.base import Recorder, Subject


class Latents(Recorder):
    r"""Moments of a normal posterior with mean $\nu$ and variance $\tau^2$, latent by latent, `(replica, H)`.

    The moments are the means over points of $\nu_h^2$ and of $\tau_h^2$, and the variance over points of $\nu_h$. The
    two means add up to 1 at stationary points of a VAE-1. Burda et al. (ICLR 2016) use the variance to tell which
    latents are active.
    """

    @classmethod
    def applies(cls, subject: Subject) -> bool:
        with torch.no_grad():
            return isinstance(subject.model.posterior(subject.data[:1]), Normal | FullNormal)

    def at_end(self, step: int) -> Record:
        model, evaluation = self.model, self.subject.evaluations[""]

        def moments(chunk: slice) -> Tensor:
            q = model.posterior(evaluation.data[chunk])
            assert isinstance(q, Normal | FullNormal)
            shape = model.replicas, chunk.stop - chunk.start, model.latent_dim
            mean, variance = (value.expand(shape).double() for value in (q.mean, q.variance))
            return torch.stack([mean, mean.square(), variance]).mean(2)

        with torch.no_grad():
            mean, square, variance = evaluation.mean(model.replicas, moments)
        found = {"square": square, "variance": variance, "spread": square - mean.square()}
        return {f"latent_{name}": as_numpy(value) for name, value in found.items()}
