r"""Annealed importance sampling of log Z, upwards from a base and downwards from the model (Neal 2001).

Between a base $f_0$ with known $Z_0$ and the model $f_1 = e^{-E}$ lies a path of unnormalised densities $f_\beta$.
A chain that moves along the path has the weight $w = \prod_k f_{\beta_k}(x_{k-1}) / f_{\beta_{k-1}}(x_{k-1})$, and
$\mathbb E[w] = Z_1/Z_0$. By Jensen's inequality $\log\bar w$ is too small on average, so forward AIS underestimates
log Z and overestimates the likelihood. Reverse AIS, downwards from exact samples of the model, overestimates log Z. The
two bracket log Z (Burda, Grosse and Salakhutdinov, AISTATS 2015); only both together show how accurate either is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

SHARES, BETAS = (0, 500 / 14_500, 4_500 / 14_500, 1), (0.0, 0.5, 0.9, 1.0)
"""Spacing of temperatures (Salakhutdinov and Murray, ICML 2008): 500 of 14,500 up to β = 0.5, 4,000 up to 0.9."""

TWO_SIDED = 1.96
"""Half-width of a 95 % interval in standard errors."""


Step = Callable[[Tensor, float, float], tuple[Tensor, Tensor]]
"""Annealing step of every chain, from β = `start` to `end`.

It takes the state `(replica, chains, …)`, `start` and `end`, and returns log f_end − log f_start at that state,
`(replica, chains)`, and the state after a reversible move that leaves f_end as it is.
"""


def schedule(temperatures: int) -> list[float]:
    """Annealing schedule: β = 0, then the given number of temperatures, densest at the model.

    Example:
        >>> schedule(29)[:3], schedule(29)[9], len(schedule(29))
        ([0.0, 0.5, 0.55], 0.9, 30)
    """
    return np.interp(np.linspace(0, 1, temperatures + 1), SHARES, BETAS).round(12).tolist()


def anneal(step: Step, state: Tensor, betas: list[float]) -> tuple[Float[Tensor, "replica chains"], Tensor]:
    """Anneal chains along `betas`, up or down: log weights `(replica, chains)` in float64, and the last states.

    Args:
        state: samples of the density at `betas[0]`, `(replica, chains, …)`.
    """
    total = torch.zeros(state.shape[:2], dtype=torch.float64, device=state.device)
    with torch.no_grad():
        for start, end in pairwise(betas):
            ratio, state = step(state, start, end)
            total += ratio
    return total, state


@dataclass(frozen=True)
class Estimate:
    """Estimate of log Z in nats with a 95 % interval over chains, each `(replica,)`; a lower limit may be −∞."""

    value: Tensor
    lower: Tensor
    upper: Tensor


def forward(log_z_of_base: Tensor, log_weights: Float[Tensor, "replica chains"]) -> Estimate:
    r"""$\log Z_0 + \log\bar w$ from weights of chains that went up from the base: too small on average.

    Example:
        >>> estimate = forward(torch.zeros(1), torch.tensor([[0.0, math.log(3)]]))
        >>> estimate.value, estimate.lower, estimate.upper
        (tensor([0.6931]), tensor([-3.2189]), tensor([1.3762]))
    """
    value, lower, upper = _log_mean(log_weights)
    return Estimate(log_z_of_base + value, log_z_of_base + lower, log_z_of_base + upper)


def reverse(log_z_of_base: Tensor, log_weights: Float[Tensor, "replica chains"]) -> Estimate:
    r"""$\log Z_0 - \log\bar w$ from weights of chains that went down from the model: too large on average.

    The bias holds for exact samples of the model; with persistent chains it depends on how well they have mixed.

    Example:
        >>> reverse(torch.zeros(1), torch.tensor([[0.0, math.log(3)]])).value
        tensor([-0.6931])
    """
    value, lower, upper = _log_mean(log_weights)
    return Estimate(log_z_of_base - value, log_z_of_base - upper, log_z_of_base - lower)


def _log_mean(log_weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """log w̄ and log(w̄ ∓ 1.96 standard errors)."""
    chains = log_weights.shape[-1]
    value = log_weights.logsumexp(-1) - math.log(chains)
    error = (log_weights - value[:, None]).exp().std(-1) / math.sqrt(chains)
    return value, value + (1 - TWO_SIDED * error).clamp(min=0).log(), value + (1 + TWO_SIDED * error).log()
