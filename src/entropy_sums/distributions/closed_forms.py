"""Closed forms of cross-entropies, one per pair of families.

Every form sums over the coordinates of the broadcast pair, so that any parameter of either side may be shared
over replicas, points or coordinates.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from entropy_sums.distributions.bernoulli import Bernoulli
from entropy_sums.distributions.categorical import Categorical
from entropy_sums.distributions.cross_entropy import register
from entropy_sums.distributions.family import sum_coordinates
from entropy_sums.distributions.gamma import Exponential, Gamma
from entropy_sums.distributions.laplace import LOG_2, Laplace
from entropy_sums.distributions.normal import LOG_2PI, FullNormal, Normal, squared_error
from entropy_sums.distributions.poisson import Poisson


@register(Normal, Normal)
@register(FullNormal, Normal)
@register(Laplace, Normal)
def _to_normal(q: Normal | FullNormal | Laplace, p: Normal) -> Tensor:
    moment = squared_error(q.mean, p.loc) + q.variance
    dim = max(q.dim, p.dim)
    precision = (-2 * p.log_std).exp()
    weighted = moment.sum(-1) * precision.squeeze(-1) if p.log_std.shape[-1] == 1 else (moment * precision).sum(-1)
    return 0.5 * weighted + sum_coordinates(p.log_std, dim) + 0.5 * dim * LOG_2PI


def _to_full_normal(q: Normal | FullNormal, p: FullNormal, trace: Tensor) -> Tensor:
    """Cross-entropy given the trace of the covariance of q in the whitened coordinates of p."""
    return 0.5 * (p.whiten(q.mean).square().sum(-1) + trace + p.dim * LOG_2PI) + p.log_determinant


@register(Normal, FullNormal)
def _normal_to_full_normal(q: Normal, p: FullNormal) -> Tensor:
    identity = torch.eye(p.dim, dtype=p.loc.dtype, device=p.loc.device)
    precisions = torch.linalg.solve_triangular(p.scale_tril, identity, upper=False).square().sum(-2)
    return _to_full_normal(q, p, (precisions * q.variance).sum(-1))


@register(FullNormal, FullNormal)
def _full_normal_to_full_normal(q: FullNormal, p: FullNormal) -> Tensor:
    whitened = torch.linalg.solve_triangular(p.scale_tril, q.scale_tril, upper=False)
    return _to_full_normal(q, p, whitened.square().sum((-2, -1)))


def _to_laplace(distance: Tensor, p: Laplace) -> Tensor:
    """Cross-entropy given `distance`, the mean E|x − loc of p| of each coordinate."""
    return (distance * (-p.log_scale).exp() + p.log_scale + LOG_2).sum(-1)


def mean_distance(q: Normal, loc: Tensor | float = 0.0) -> Tensor:
    r"""$\mathbb E_q|x_d - \mu_d|$ of each coordinate: the mean of a folded normal, `(..., D)`.

    Example:
        >>> mean_distance(Normal(torch.zeros(1, 1), torch.zeros(1, 1)))
        tensor([[0.7979]])
    """
    std, shift = q.log_std.exp(), q.mean - loc
    ratio = shift / (math.sqrt(2) * std)
    return math.sqrt(2 / math.pi) * std * (-ratio.square()).exp() + shift * ratio.erf()


@register(Normal, Laplace)
def _normal_to_laplace(q: Normal, p: Laplace) -> Tensor:
    return _to_laplace(mean_distance(q, p.loc), p)


@register(Laplace, Laplace)
def _laplace_to_laplace(q: Laplace, p: Laplace) -> Tensor:
    scale, shift = q.log_scale.exp(), (q.mean - p.loc).abs()
    return _to_laplace(shift + scale * (-shift / scale).exp(), p)


@register(Bernoulli, Bernoulli)
def _bernoulli_to_bernoulli(q: Bernoulli, p: Bernoulli) -> Tensor:
    # Each outcome by its own logit: 1 − q.mean would lose all digits beyond |logit| = 16 in float32.
    return -(q.logits.sigmoid() * logsigmoid(p.logits) + (-q.logits).sigmoid() * logsigmoid(-p.logits)).sum(-1)


@register(Categorical, Categorical)
def _categorical_to_categorical(q: Categorical, p: Categorical) -> Tensor:
    return -p.log_prob(q.mean)


@register(Exponential, Exponential)
@register(Gamma, Exponential)
def _to_exponential(q: Exponential | Gamma, p: Exponential) -> Tensor:
    return -p.log_prob(q.mean)


@register(Exponential, Gamma)
@register(Gamma, Gamma)
def _to_gamma(q: Exponential | Gamma, p: Gamma) -> Tensor:
    shape = p.concentration
    terms = shape.lgamma() - shape * p.log_rate + (1 - shape) * q.mean_log + p.log_rate.exp() * q.mean
    return terms.sum(-1)


@register(Poisson, Poisson)
def _poisson_to_poisson(q: Poisson, p: Poisson) -> Tensor:
    # Entropy plus Kullback-Leibler divergence: E_q[log x!] grows like λ log λ and would cancel against the rest.
    divergence = q.mean * (q.log_rate - p.log_rate) - q.mean + p.mean
    return (q.entropies() + divergence).sum(-1)
