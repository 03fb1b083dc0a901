"""Bars, and data drawn from models of the classes that are studied, so that the truth is of the same class.

Ground truth, training points and held-out points have generators of their own, as in `entropy_sums.data.generated`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.special import expit, softmax

from entropy_sums.data.settings import (
    Bars,
    BeliefNetwork,
    BoltzmannMachine,
    DrawnSettings,
    MixtureOfGammas,
    SparseBars,
    SparseSources,
)

Draw = Callable[[int, np.random.Generator], np.ndarray]
"""Draws that many points, shape (count, D)."""


def bars(settings: Bars, data_dir: Path, generator: np.random.Generator) -> dict:
    r"""Images of R × R pixels: each of R rows and R columns is on with probability p, a pixel where any of its two is.

    Returns the bars as `weights` (D, 2R). Source: Földiák (Biological Cybernetics 1990).

    Example:
        >>> arrays = bars(Bars(side=3, train=50, test=5), Path(), np.random.default_rng(0))
        >>> arrays["truth"]["weights"][:, 0].reshape(3, 3)
        array([[1., 1., 1.],
               [0., 0., 0.],
               [0., 0., 0.]])
    """
    weights = bar_images(settings.side)

    def drawn(count: int, part: np.random.Generator) -> np.ndarray:
        present = part.random((count, 2 * settings.side)) < settings.probability
        return (present @ weights.T > 0).astype(float)

    return _split(settings, generator, drawn, {"weights": weights})


def bar_images(side: int) -> np.ndarray:
    """All rows, then all columns of R × R pixels, one in each column of `(R², 2R)`, with pixels 0 and 1.

    Example:
        >>> bar_images(2).T
        array([[1., 1., 0., 0.],
               [0., 0., 1., 1.],
               [1., 0., 1., 0.],
               [0., 1., 0., 1.]])
    """
    image = np.eye(side)[:, :, None] * np.ones(side)
    return np.concatenate([image, image.transpose(0, 2, 1)]).reshape(2 * side, side**2).T


def sparse_bars(settings: SparseBars, data_dir: Path, generator: np.random.Generator) -> dict:
    r"""Sparse coding with bars, $x = Wz + \sigma\varepsilon$: Laplace latents of scale λ, the 2R bars as columns of W.

    `weights` W (D, H), not of norm 1 but of pixels 0 and 1, `scale` λ and `noise` σ are returned as truth.
    Source: Velychko et al. (AISTATS 2024), official code, `learning-bars`.

    Example:
        >>> arrays = sparse_bars(SparseBars(train=10, test=5), Path(), np.random.default_rng(0))
        >>> arrays["train"].shape, arrays["truth"]["weights"].shape
        ((10, 25), (25, 10))
    """
    return _superposed(settings, generator, bar_images(settings.side))


def sparse_sources(settings: SparseSources, data_dir: Path, generator: np.random.Generator) -> dict:
    r"""Sparse coding, $x = Wz + \sigma\varepsilon$ with Laplace latents $z_h$ of scale λ; columns of W have norm 1.

    `weights` W (D, H), `scale` λ and `noise` σ are returned as truth.

    Example:
        >>> arrays = sparse_sources(SparseSources(train=10, test=5), Path(), np.random.default_rng(0))
        >>> arrays["train"].shape, np.linalg.norm(arrays["truth"]["weights"], axis=0).round(6).tolist()
        ((10, 16), [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    """
    truth, points = generator.spawn(2)
    weights = truth.standard_normal((settings.dim, settings.true_latent_dim))
    weights /= np.linalg.norm(weights, axis=0)
    return _superposed(settings, points, weights)


def belief_network(settings: BeliefNetwork, data_dir: Path, generator: np.random.Generator) -> dict:
    r"""A sigmoid belief network: $z_h \sim B(\pi)$, $x_d \sim B(\mathrm{sigmoid}(w_d^\top z + b_d))$.

    `weights` W (D, H) with $W_{dh} \sim N(0, s^2)$, and `offset` $b = -W\mathbf 1 \pi$, so that no pixel is on or off
    for good, are returned as truth.

    Example:
        >>> arrays = belief_network(BeliefNetwork(train=10, test=5), Path(), np.random.default_rng(0))
        >>> arrays["train"].shape, set(np.unique(arrays["train"]).tolist())
        ((10, 16), {0.0, 1.0})
    """
    truth, points = generator.spawn(2)
    weights = truth.normal(0, settings.strength, (settings.dim, settings.true_latent_dim))
    offset = -settings.probability * weights.sum(axis=1)

    def drawn(count: int, part: np.random.Generator) -> np.ndarray:
        latents = part.random((count, settings.true_latent_dim)) < settings.probability
        return (part.random((count, settings.dim)) < expit(latents @ weights.T + offset)).astype(float)

    return _split(settings, points, drawn, {"weights": weights, "offset": offset})


def boltzmann_machine(settings: BoltzmannMachine, data_dir: Path, generator: np.random.Generator) -> dict:
    r"""A restricted Boltzmann machine, $p(v, h) \propto \exp(b^\top v + (v - \frac12)^\top W (h - \frac12))$.

    Exact draws: h from all its states, then v given h. `weights` W (D, H) with $W_{dh} \sim N(0, s^2)$ and `offset` b
    (D,) with $b_d \sim N(0, 1/4)$ are returned as truth.

    Example:
        >>> arrays = boltzmann_machine(BoltzmannMachine(train=10, test=5), Path(), np.random.default_rng(0))
        >>> arrays["train"].shape, arrays["truth"]["weights"].shape
        ((10, 16), (16, 4))
    """
    truth, points = generator.spawn(2)
    hidden = settings.true_latent_dim
    weights = truth.normal(0, settings.strength, (settings.dim, hidden))
    offset = truth.normal(0, 0.5, settings.dim)
    states = (np.arange(2**hidden)[:, None] >> np.arange(hidden)) % 2
    inputs = offset + (states - 0.5) @ weights.T
    # The sum over v of e^(inputs · v), the rest of the exponent does not depend on v
    log_mass = np.logaddexp(0, inputs).sum(axis=1) - 0.5 * ((states - 0.5) @ weights.T).sum(axis=1)

    def drawn(count: int, part: np.random.Generator) -> np.ndarray:
        chosen = part.choice(len(states), size=count, p=softmax(log_mass))
        return (part.random((count, settings.dim)) < expit(inputs[chosen])).astype(float)

    return _split(settings, points, drawn, {"weights": weights, "offset": offset})


def mixture_of_gammas(settings: MixtureOfGammas, data_dir: Path, generator: np.random.Generator) -> dict:
    r"""Components of equal weight: $x_d \sim \mathrm{Gamma}(\alpha, \alpha/\mu_{kd})$, $\log\mu_{kd} \sim N(0, s^2)$.

    The means `means` μ (K, D) and the `shape` α, 1 for exponential components, are returned as truth.

    Example:
        >>> arrays = mixture_of_gammas(MixtureOfGammas(train=10, test=5), Path(), np.random.default_rng(0))
        >>> arrays["train"].shape, bool((arrays["train"] > 0).all())
        ((10, 5), True)
    """
    truth, points = generator.spawn(2)
    means = np.exp(truth.normal(0, settings.strength, (settings.components, settings.dim)))

    def drawn(count: int, part: np.random.Generator) -> np.ndarray:
        chosen = part.integers(settings.components, size=count)
        return part.gamma(settings.shape_parameter, means[chosen] / settings.shape_parameter)

    return _split(settings, points, drawn, {"means": means, "shape": np.array(settings.shape_parameter)})


def _superposed(settings: SparseBars | SparseSources, generator: np.random.Generator, weights: np.ndarray) -> dict:
    dim, latents = weights.shape

    def drawn(count: int, part: np.random.Generator) -> np.ndarray:
        z = part.laplace(0, settings.scale, (count, latents))
        return z @ weights.T + settings.noise * part.standard_normal((count, dim))

    scales = {"scale": np.array(settings.scale), "noise": np.array(settings.noise)}
    return _split(settings, generator, drawn, {"weights": weights, **scales})


def _split(settings: DrawnSettings, generator: np.random.Generator, draw: Draw, truth: dict) -> dict:
    train, test = generator.spawn(2)
    return {"train": draw(settings.train, train), "test": draw(settings.test, test), "truth": truth}
