"""The learned dictionary of a model, and the sparsity of its latents."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from entropy_sums.models.abilities import WithDictionary
from entropy_sums.training.evaluation import Record, as_numpy
from entropy_sums.training.recorders.base import Recorder, Subject


class Dictionary(Recorder):
    """The dictionary as `weights` `(replica, H, D)`, and a Gini coefficient `(replica,)` for both parts of the data.

    The coefficient is computed from the absolute posterior means of a point and averaged over points, as in Velychko et
    al. (AISTATS 2024).
    """

    @classmethod
    def applies(cls, subject: Subject) -> bool:
        return isinstance(subject.model, WithDictionary)

    def at_end(self, step: int) -> Record:
        model, record = self.model, Record()
        assert isinstance(model, WithDictionary)
        with torch.no_grad():
            for prefix, evaluation in self.subject.evaluations.items():
                mean = evaluation.mean(
                    self.model.replicas, lambda c, of=evaluation: gini(model.posterior(of.data[c]).mean).mean(1)
                )
                record[f"{prefix}gini"] = as_numpy(mean)
            record["weights"] = as_numpy(model.dictionary)
        return record


def gini(values: Float[Tensor, "*all latent"]) -> Float[Tensor, "*all"]:
    r"""Gini coefficient of absolute values along the last axis, from 0 (all equal) to 1 − 1/H (all but one zero).

    $$\frac{\sum_{h,k} \bigl||z_h| - |z_k|\bigr|}{2H \sum_h |z_h|}
      = \frac{\sum_h (2h - H - 1)\, |z|_{(h)}}{H \sum_h |z_h|}, \qquad |z|_{(1)} \leq \dots \leq |z|_{(H)}$$

    Source: Hurley and Rickard (IEEE Transactions on Information Theory 2009).

    Example:
        >>> gini(torch.tensor([[2.0, -2.0], [0.0, 3.0]]))
        tensor([0.0000, 0.5000])
    """
    ordered, number = values.abs().sort(-1).values, values.shape[-1]
    ranks = torch.arange(1, number + 1, dtype=values.dtype, device=values.device)
    return (ordered * (2 * ranks - number - 1)).sum(-1) / (number * ordered.sum(-1))
