"""Log-densities of points given latents of finitely many states, shared by several datasets."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

Truth = Mapping[str, np.ndarray]
"""Name → array: known parameters of the distribution that data are drawn from."""

Densities = np.ndarray
"""Log-density of every point given every state, (N, states)."""

MOST_LATENTS = 16
"""Largest number of binary latents whose states are all summed over."""


class Unknown(LookupError):
    """Error where no log-likelihood is available."""


def states(units: int) -> np.ndarray:
    """All states of a number of binary units, (2^units, units).

    Example:
        >>> states(2).tolist()
        [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    return (np.arange(2**units)[:, None] >> np.arange(units)) % 2


def given_logits(x: np.ndarray, logits: np.ndarray) -> Densities:
    """Log-densities of binary points x (N, D) given the logits (states, D) of Bernoulli distributions."""
    return x @ logits.T - np.logaddexp(0, logits).sum(axis=1)


def given_means(x: np.ndarray, means: np.ndarray, std: np.ndarray) -> Densities:
    """Log-densities of points x (N, D) given the means (states, D) of normal distributions with one `std`."""
    squares = (x**2).sum(axis=1, keepdims=True) - 2 * x @ means.T + (means**2).sum(axis=1)
    return -0.5 * (squares / std**2 + x.shape[1] * np.log(2 * np.pi * std**2))


def independent(truth: Truth) -> tuple[np.ndarray, np.ndarray]:
    """All states of latents that are on with one `probability`, and the log-probability of each state."""
    latents = truth["weights"].shape[1]
    if latents > MOST_LATENTS or "probability" not in truth:
        raise Unknown
    z, on = states(latents), truth["probability"]
    return z, (z * np.log(on) + (1 - z) * np.log1p(-on)).sum(axis=1)


def marginal(given: Densities, log_masses: np.ndarray | None = None) -> np.ndarray:
    """Log-density of every point, (N,), over states with these masses, by default equal; they need not sum to one."""
    from scipy.special import logsumexp

    masses = np.zeros(given.shape[1]) if log_masses is None else log_masses
    return logsumexp(given + masses, axis=1) - logsumexp(masses)
