"""The one table of families: our class, its twins in scipy and torch, its parameters, its exact expectations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.polynomial.hermite_e import hermegauss
from numpy.polynomial.legendre import leggauss
from scipy.special import expit, softmax
from torch import distributions as td

from entropy_sums.distributions import (
    CLOSED_FORMS,
    Bernoulli,
    Categorical,
    Coordinatewise,
    Exponential,
    Family,
    FullNormal,
    Gamma,
    Laplace,
    Normal,
    Poisson,
)

FULL = (2, 3, 4)
"""Replicas, points and coordinates of the broadcasting tests."""


# Strategies of parameters, by shape `(..., D)`


def between(low, high):
    return lambda shape: arrays(np.float64, shape, elements=st.floats(low, high)).map(torch.from_numpy)


def cholesky_factors(shape):
    return between(-1, 1)((*shape, shape[-1])).map(
        lambda raw: raw.tril(-1) + torch.diag_embed(raw.diagonal(dim1=-2, dim2=-1).exp())
    )


# Nodes and weights with E_q[g] = Σ weights · g(nodes), exact to about 1e-12. Coordinates are integrated one by one
# (nodes and weights `(M, D)`) where the twin holds one distribution per coordinate, else jointly (weights `(M,)`).


def panels(edges):
    """Gauss-Legendre nodes and weights between consecutive edges `(E, D)`."""
    nodes, weights = leggauss(20)
    widths = np.diff(edges, axis=0)[:, None, :]
    points = edges[:-1, None, :] + widths * (nodes[:, None] + 1) / 2
    dim = edges.shape[-1]
    return points.reshape(-1, dim), np.broadcast_to(widths * weights[:, None] / 2, points.shape).reshape(-1, dim)


def real_line(q, p):
    # The kinks of Laplace densities, at the means, must lie between panels. Scipy has their logpdf from the pdf,
    # which underflows further out.
    spread = q.mean() + q.std() * np.linspace(-30, 30, 61)[:, None]
    points, weights = panels(np.sort(np.concatenate([spread, [q.mean()], [p.mean()]]), axis=0))
    return points, weights * q.pdf(points)


def half_line(q, p):
    # In log x all densities are smooth, with exponential tails.
    logs, weights = panels(np.broadcast_to(np.linspace(-160, 10, 171)[:, None], (171, len(q.mean()))))
    points = np.exp(logs)
    return points, weights * points * q.pdf(points)


def integers(count):
    def nodes(q, p):
        points = np.broadcast_to(np.arange(count)[:, None], (count, len(q.mean())))
        return points, q.pmf(points)

    return nodes


def one_hots(q, p):
    points = np.eye(len(q.p), dtype=int)
    return points, q.pmf(points)


def whole_space(q, p):
    nodes, weights = hermegauss(4)
    standard = np.array(list(product(nodes, repeat=len(q.mean))))
    weights = np.array([np.prod(w) for w in product(weights / weights.sum(), repeat=len(q.mean))])
    return q.mean + standard @ np.linalg.cholesky(q.cov).T, weights


# Maps of samples `(S, D)` to the unit interval, uniform exactly if the samples follow the twin


def continuous_ranks(samples, twin, noise):
    return twin.cdf(samples)


def discrete_ranks(samples, twin, noise):
    return twin.cdf(samples - 1) + noise.uniform(size=samples.shape) * twin.pmf(samples)


def one_hot_ranks(samples, twin, noise):
    below = np.cumsum(twin.p) - twin.p
    return samples @ below[:, None] + noise.uniform(size=(len(samples), 1)) * (samples @ twin.p[:, None])


def whitened_ranks(samples, twin, noise):
    return scipy.stats.norm.cdf(np.linalg.solve(np.linalg.cholesky(twin.cov), (samples - twin.mean).T).T)


@dataclass(frozen=True, repr=False)
class Case:
    family: type[Family]
    scipy: Callable[..., Any]
    torch: Callable[..., td.Distribution]
    strategies: tuple[Callable[[tuple[int, ...]], st.SearchStrategy], ...]
    nodes: Callable[..., tuple[np.ndarray, np.ndarray]]
    ranks: Callable[..., np.ndarray]

    def __repr__(self) -> str:
        return self.family.__name__

    def parameters(self, *shape: int) -> st.SearchStrategy:
        return st.tuples(*(strategy(shape) for strategy in self.strategies))

    def dims(self, largest: int = 3) -> st.SearchStrategy:
        return st.integers(2 if self.family is Categorical else 1, largest)

    def shared_parameters(self) -> st.SearchStrategy:
        """Parameters which broadcast to FULL, each shared over any of its axes, the last where the family allows."""
        dims = [1, FULL[-1]] if issubclass(self.family, Coordinatewise) else FULL[-1:]
        shapes = st.sampled_from(list(product([1, FULL[0]], [1, FULL[1]], dims)))
        return st.tuples(*(shapes.flatmap(strategy) for strategy in self.strategies))

    def twin(self, parameters) -> Any:
        return self.scipy(*(parameter.numpy() for parameter in parameters))


def log_density(twin, points):
    return (twin.logpdf if hasattr(twin, "logpdf") else twin.logpmf)(points)


def expanded(parameters):
    """The same parameters without sharing: all of shape FULL, matrices with their own axis behind it."""
    return [parameter.expand(*FULL, *parameter.shape[3:]).clone() for parameter in parameters]


LOC, LOG_SCALE, LOGIT = between(-3, 3), between(-1.2, 1.2), between(-8, 8)

TABLE = {
    case.family: case
    for case in (
        Case(
            Normal,
            lambda loc, log_std: scipy.stats.norm(loc, np.exp(log_std)),
            lambda loc, log_std: td.Independent(td.Normal(loc, log_std.exp()), 1),
            (LOC, LOG_SCALE),
            real_line,
            continuous_ranks,
        ),
        Case(
            FullNormal,
            lambda loc, scale_tril: scipy.stats.multivariate_normal(loc, scale_tril @ scale_tril.T),
            lambda loc, scale_tril: td.MultivariateNormal(loc, scale_tril=scale_tril),
            (LOC, cholesky_factors),
            whole_space,
            whitened_ranks,
        ),
        Case(
            Laplace,
            lambda loc, log_scale: scipy.stats.laplace(loc, np.exp(log_scale)),
            lambda loc, log_scale: td.Independent(td.Laplace(loc, log_scale.exp()), 1),
            (LOC, LOG_SCALE),
            real_line,
            continuous_ranks,
        ),
        Case(
            Bernoulli,
            lambda logits: scipy.stats.bernoulli(expit(logits)),
            lambda logits: td.Independent(td.Bernoulli(logits=logits), 1),
            (LOGIT,),
            integers(2),
            discrete_ranks,
        ),
        Case(
            Categorical,
            lambda logits: scipy.stats.multinomial(1, softmax(logits)),
            lambda logits: td.OneHotCategorical(logits=logits),
            (LOGIT,),
            one_hots,
            one_hot_ranks,
        ),
        Case(
            Exponential,
            lambda log_rate: scipy.stats.expon(scale=np.exp(-log_rate)),
            lambda log_rate: td.Independent(td.Exponential(log_rate.exp()), 1),
            (LOG_SCALE,),
            half_line,
            continuous_ranks,
        ),
        Case(
            Gamma,
            lambda log_concentration, log_rate: scipy.stats.gamma(np.exp(log_concentration), scale=np.exp(-log_rate)),
            lambda log_concentration, log_rate: td.Independent(td.Gamma(log_concentration.exp(), log_rate.exp()), 1),
            (between(-1, 2), LOG_SCALE),
            half_line,
            continuous_ranks,
        ),
        Case(
            Poisson,
            lambda log_rate: scipy.stats.poisson(np.exp(log_rate)),
            lambda log_rate: td.Independent(td.Poisson(log_rate.exp()), 1),
            (between(-3, 5),),  # both sides of the rate 64, where sum and series meet
            integers(500),
            discrete_ranks,
        ),
    )
}


@pytest.fixture(scope="session", params=TABLE.values(), ids=repr)
def case(request) -> Case:
    return request.param


@pytest.fixture(scope="session", params=CLOSED_FORMS, ids=lambda pair: f"{pair[0].__name__}-{pair[1].__name__}")
def pair(request) -> tuple[Case, Case]:
    """Every registered closed form; one without a row in the table is an error."""
    q, p = request.param
    return TABLE[q], TABLE[p]


@pytest.fixture(scope="session")
def table() -> dict[type[Family], Case]:
    return TABLE


@pytest.fixture(scope="session")
def unshared():
    return expanded


@pytest.fixture(scope="session")
def exact_cross_entropy():
    """−E_q[log p] from the scipy twins alone, by quadrature or summation."""

    def jointly(twin):
        if hasattr(twin, "cov"):
            return twin
        return scipy.stats.multivariate_normal(twin.mean(), np.diag(twin.var()))  # pyright: ignore[reportArgumentType]

    def oracle(q_case: Case, q_parameters, p_case: Case, p_parameters) -> float:
        q, p, nodes = q_case.twin(q_parameters), p_case.twin(p_parameters), q_case.nodes
        if FullNormal in (q_case.family, p_case.family):
            q, p, nodes = jointly(q), jointly(p), whole_space
        points, weights = nodes(q, p)
        return -(weights * log_density(p, points)).sum()

    return oracle
