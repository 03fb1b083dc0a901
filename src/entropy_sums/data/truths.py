"""Log-likelihood of points under the distribution that they were drawn from, where that is known in closed form.

Where latents are few and binary, or components of a mixture, that is a sum over all of their states.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from scipy.special import gammaln, logsumexp, xlog1py, xlogy

Truth = Mapping[str, np.ndarray]
Densities = np.ndarray
"""Log-density of every point given every state, (N, states)."""

MOST_LATENTS = 16
"""Binary latents whose states are gone through."""

POINTS_AT_ONCE = 64
"""Of these, with 2^16 states each, the densities take 34 MB."""


class Unknown(LookupError):
    """There is no log-likelihood to be had."""


class Layer(NamedTuple):
    """What visible units see of all states `states` (2^H, H) of hidden ones: machines are relative to ½.

    Attributes:
        inputs: $b + W(h - 1/2)$ of every state, (2^H, D).
        log_mass: of every state, what binary visible units sum to.
    """

    states: np.ndarray
    inputs: np.ndarray
    log_mass: np.ndarray


def layer(truth: Truth) -> Layer:
    """The layer with these `weights` (D, H) and `offset` (D,).

    Example:
        >>> layer({"weights": np.ones((3, 1)), "offset": np.zeros(3)}).inputs
        array([[-0.5, -0.5, -0.5],
               [ 0.5,  0.5,  0.5]])
    """
    seen = states(truth["weights"].shape[1])
    coupled = (seen - 0.5) @ truth["weights"].T
    inputs = truth["offset"] + coupled
    # The sum over v of e^(inputs · v), the rest of the exponent does not depend on v
    return Layer(seen, inputs, np.logaddexp(0, inputs).sum(axis=1) - 0.5 * coupled.sum(axis=1))


def log_mass_above(seen: Layer, truth: Truth) -> np.ndarray:
    """What the sum over a higher layer with `upper_weights` (H, G) adds to the log mass of every state, (2^H,)."""
    inputs = (seen.states - 0.5) @ truth["upper_weights"]
    return np.logaddexp(0.5 * inputs, -0.5 * inputs).sum(axis=1)


def states(units: int) -> np.ndarray:
    """All states of so many units, (2^units, units).

    Example:
        >>> states(2).tolist()
        [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    return (np.arange(2**units)[:, None] >> np.arange(units)) % 2


def log_likelihood(name: str, points: np.ndarray, truth: Truth) -> float | None:
    """Mean over points (N, D) in nats, or None where the dataset of this name has no known one.

    It has none where points are rounded to more than the `noise` σ, or to where a density is infinite, where there are
    too many states to go through, and where the truth lacks something, as in files of older versions.

    Example:
        >>> truth = {"means": np.array([[0.5, 0.5], [0.5, 0.5]])}
        >>> log_likelihood("mixture_of_bernoullis", np.array([[0.0, 1.0]]), truth)
        -1.38629...
    """
    known = TRUTHS.get(name)
    if known is None or truth.get("noise", np.inf) < np.finfo(points.dtype).eps * np.abs(points).max():
        return None
    try:
        parts = [known(part, truth) for part in np.array_split(points.astype(float), -(-len(points) // POINTS_AT_ONCE))]
    except Unknown:
        return None
    found = np.concatenate(parts)
    return float(found.mean()) if np.isfinite(found).all() else None


def _pca(x: np.ndarray, truth: Truth) -> np.ndarray:
    """$N(b, WW^T + σ^2 I)$."""
    weights, noise = truth["weights"], truth["noise"]
    # Along the columns of W and across them: a covariance of all dimensions is singular where σ is small
    basis, lengths, _ = np.linalg.svd(weights, full_matrices=False)
    variances = np.concatenate([lengths**2, np.zeros(len(weights) - len(lengths))]) + noise**2
    centred = x - truth["offset"]
    along = centred @ basis
    across = centred - along @ basis.T
    squares = (along**2 / variances[: len(lengths)]).sum(1) + (across**2).sum(1) / noise**2
    return -0.5 * (squares + np.log(2 * np.pi * variances).sum())


def _belief_network(x: np.ndarray, truth: Truth) -> np.ndarray:
    z, log_prior = _independent(truth)
    return _marginal(_given_logits(x, truth["offset"] + z @ truth["weights"].T), log_prior)


def _boltzmann_machine(x: np.ndarray, truth: Truth) -> np.ndarray:
    seen = layer(truth)
    return _marginal(_given_logits(x, seen.inputs), seen.log_mass)


def _deep_boltzmann_machine(x: np.ndarray, truth: Truth) -> np.ndarray:
    seen = layer(truth)
    return _marginal(_given_logits(x, seen.inputs), seen.log_mass + log_mass_above(seen, truth))


def _deep_belief_network(x: np.ndarray, truth: Truth) -> np.ndarray:
    seen = layer(truth)
    return _marginal(_given_logits(x, seen.inputs), log_mass_above(seen, truth))


def gaussian_log_mass(seen: Layer, noise: np.ndarray | float) -> np.ndarray:
    """Of every state, what normal visible units of this standard deviation integrate to, (2^H,)."""
    return (seen.inputs**2).sum(axis=1) / (2 * noise**2)


def _gaussian_boltzmann_machine(x: np.ndarray, truth: Truth) -> np.ndarray:
    seen = layer(truth)
    return _marginal(_given_means(x, seen.inputs, truth["noise"]), gaussian_log_mass(seen, truth["noise"]))


def _bars(x: np.ndarray, truth: Truth) -> np.ndarray:
    """A sum over the sets of bars that make the image, or over all images where there is noise on it."""
    z, log_prior = _independent(truth)
    made, which = np.unique(z @ truth["weights"].T > 0, axis=0, return_inverse=True)
    log_masses = np.log(np.bincount(which.ravel(), np.exp(log_prior)))
    dequantised = "dequantised" in truth
    if "noise" in truth:
        if dequantised:
            raise Unknown
        return _marginal(_given_means(x, made, truth["noise"]), log_masses)
    known = {image.tobytes(): mass for image, mass in zip(made, log_masses, strict=True)}
    found = np.array([known[image.tobytes()] for image in np.ascontiguousarray(x >= 0.5)])
    # A pixel is uniform on one half of the unit interval
    return found + dequantised * x.shape[1] * np.log(2)


def _mixture_of_gaussians(x: np.ndarray, truth: Truth) -> np.ndarray:
    return _marginal(_given_means(x, truth["means"], truth["noise"]))


def _mixture_of_bernoullis(x: np.ndarray, truth: Truth) -> np.ndarray:
    means = truth["means"]
    # Means of one are what is left of large logits
    return _marginal((xlogy(x[:, None], means) + xlog1py(1 - x[:, None], -means)).sum(axis=2))


def _mixture_of_poissons(x: np.ndarray, truth: Truth) -> np.ndarray:
    means = truth["means"]
    return _marginal(x @ np.log(means).T - means.sum(axis=1) - gammaln(x + 1).sum(axis=1, keepdims=True))


def _mixture_of_gammas(x: np.ndarray, truth: Truth) -> np.ndarray:
    shape, rates = truth["shape"], truth["shape"] / truth["means"]
    constant = (shape * np.log(rates) - gammaln(shape)).sum(axis=1)
    return _marginal(constant - x @ rates.T + xlogy(shape - 1, x).sum(axis=1, keepdims=True))


def _given_logits(x: np.ndarray, logits: np.ndarray) -> Densities:
    return x @ logits.T - np.logaddexp(0, logits).sum(axis=1)


def _given_means(x: np.ndarray, means: np.ndarray, std: np.ndarray) -> Densities:
    squares = (x**2).sum(axis=1, keepdims=True) - 2 * x @ means.T + (means**2).sum(axis=1)
    return -0.5 * (squares / std**2 + x.shape[1] * np.log(2 * np.pi * std**2))


def _independent(truth: Truth) -> tuple[np.ndarray, np.ndarray]:
    """All states of latents that are on with one `probability`, and the logarithm of that of each."""
    latents = truth["weights"].shape[1]
    if latents > MOST_LATENTS or "probability" not in truth:
        raise Unknown
    z, on = states(latents), truth["probability"]
    return z, (z * np.log(on) + (1 - z) * np.log1p(-on)).sum(axis=1)


def _marginal(given: Densities, log_masses: np.ndarray | None = None) -> np.ndarray:
    """Of every point, (N,): states have these masses, which need not sum to one; without any they are alike."""
    masses = np.zeros(given.shape[1]) if log_masses is None else log_masses
    return logsumexp(given + masses, axis=1) - logsumexp(masses)


TRUTHS: dict[str, Callable[[np.ndarray, Truth], np.ndarray]] = {
    "pca": _pca,
    "bars": _bars,
    "belief_network": _belief_network,
    "boltzmann_machine": _boltzmann_machine,
    "deep_boltzmann_machine": _deep_boltzmann_machine,
    "deep_belief_network": _deep_belief_network,
    "gaussian_boltzmann_machine": _gaussian_boltzmann_machine,
    "mixture_of_gaussians": _mixture_of_gaussians,
    "mixture_of_bernoullis": _mixture_of_bernoullis,
    "mixture_of_poissons": _mixture_of_poissons,
    "mixture_of_gammas": _mixture_of_gammas,
}
"""Name of a dataset → log-density of its points given its truth, (N,); raises Unknown where it cannot be had."""
