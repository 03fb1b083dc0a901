"""Bars, and data drawn from models of the classes that are studied, so that the truth is of the same class.

Ground truth, training points and held-out points have generators of their own, as in `entropy_sums.data.generated`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.special import expit, softmax

from entropy_sums.data.preparation import to_real
from entropy_sums.data.settings import (
    Bars,
    BeliefNetwork,
    BoltzmannMachine,
    DeepBeliefNetwork,
    DeepBoltzmannMachine,
    DeepSettings,
    DrawnSettings,
    GaussianBoltzmannMachine,
    MixtureOfBernoullis,
    MixtureOfGammas,
    MixtureOfGaussians,
    MixtureOfPoissons,
    SparseBars,
    SparseSources,
)
from entropy_sums.data.truths import Layer, gaussian_log_mass, layer, log_mass_above

Draw = Callable[[int, np.random.Generator], np.ndarray]
"""Draws that many points, shape (count, D)."""

Visible = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""Draws a point for every row of means or inputs, (count, D)."""

Mixture = MixtureOfGaussians | MixtureOfBernoullis | MixtureOfPoissons | MixtureOfGammas


def bars(settings: Bars, data_dir: Path, generator: np.random.Generator) -> dict:
    r"""Images of R × R pixels: each of R rows and R columns is on with probability p, a pixel where any of its two is.

    Then they are dequantised or have noise, if that is asked for. Returns the bars as `weights` (D, 2R), the
    `probability` p, and the standard deviation `noise` σ or `dequantised` 1 where they are not 0.
    Source: Földiák (Biological Cybernetics 1990).

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
        return to_real(present @ weights.T > 0, 1, settings, *part.spawn(1))

    truth = {"probability": settings.probability, "noise": settings.noise, "dequantised": float(settings.dequantise)}
    return _split(
        settings, generator, drawn, {"weights": weights} | {name: np.array(v) for name, v in truth.items() if v}
    )


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
    for good, are returned as truth, with the `probability` π.

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

    truth = {"weights": weights, "offset": offset, "probability": np.array(settings.probability)}
    return _split(settings, points, drawn, truth)


def boltzmann_machine(settings: BoltzmannMachine, data_dir: Path, generator: np.random.Generator) -> dict:
    r"""A restricted Boltzmann machine, $p(v, h) \propto \exp(b^\top v + (v - \frac12)^\top W (h - \frac12))$.

    Exact draws: h from all its states, then v given h. `weights` W (D, H) with $W_{dh} \sim N(0, s^2)$ and `offset` b
    (D,) with $b_d \sim N(0, 1/4)$ are returned as truth.

    Example:
        >>> arrays = boltzmann_machine(BoltzmannMachine(train=10, test=5), Path(), np.random.default_rng(0))
        >>> arrays["train"].shape, arrays["truth"]["weights"].shape
        ((10, 16), (16, 4))
    """
    seen, truth, points = _layer(settings, generator)
    return _split(settings, points, _given_states(seen, seen.log_mass, _binary), truth)


def deep_boltzmann_machine(settings: DeepBoltzmannMachine, data_dir: Path, generator: np.random.Generator) -> dict:
    r"""Two layers of hidden units: $p(v, h, g) \propto \exp(b^\top v + (v - \frac12)^\top W (h - \frac12)
    + (h - \frac12)^\top U (g - \frac12))$.

    Exact draws, as of `boltzmann_machine`; `upper_weights` U (H, G) with $U_{hg} \sim N(0, s^2)$ are truth, too.

    Example:
        >>> settings = DeepBoltzmannMachine(train=10, test=5)
        >>> arrays = deep_boltzmann_machine(settings, Path(), np.random.default_rng(0))
        >>> arrays["train"].shape, arrays["truth"]["upper_weights"].shape
        ((10, 16), (4, 4))
    """
    seen, truth, points = _layer(settings, generator)
    truth |= _above(settings, generator)
    return _split(settings, points, _given_states(seen, seen.log_mass + log_mass_above(seen, truth), _binary), truth)


def deep_belief_network(settings: DeepBeliefNetwork, data_dir: Path, generator: np.random.Generator) -> dict:
    r"""A machine $p(h, g) \propto \exp((h - \frac12)^\top U (g - \frac12))$ over a layer $v_d \sim
    B(\mathrm{sigmoid}(b_d + w_d^\top (h - \frac12)))$.

    Exact draws and truth as of `deep_boltzmann_machine`.

    Example:
        >>> settings = DeepBeliefNetwork(train=10, test=5)
        >>> deep_belief_network(settings, Path(), np.random.default_rng(0))["train"].shape
        (10, 16)
    """
    seen, truth, points = _layer(settings, generator)
    truth |= _above(settings, generator)
    return _split(settings, points, _given_states(seen, log_mass_above(seen, truth), _binary), truth)


def gaussian_boltzmann_machine(
    settings: GaussianBoltzmannMachine, data_dir: Path, generator: np.random.Generator
) -> dict:
    r"""Normal visible units: $p(v, h) \propto \exp(-\lVert v - b \rVert^2 / 2\sigma^2 + v^\top W (h - \frac12) /
    \sigma^2)$, so that $v$ given $h$ has the mean $b + W (h - \frac12)$.

    Exact draws and truth as of `boltzmann_machine`, and `noise` σ.

    Example:
        >>> settings = GaussianBoltzmannMachine(train=10, test=5)
        >>> gaussian_boltzmann_machine(settings, Path(), np.random.default_rng(0))["train"].shape
        (10, 16)
    """
    seen, truth, points = _layer(settings, generator)
    truth |= {"noise": np.array(settings.noise)}

    def normal(inputs: np.ndarray, part: np.random.Generator) -> np.ndarray:
        return inputs + settings.noise * part.standard_normal(inputs.shape)

    return _split(settings, points, _given_states(seen, gaussian_log_mass(seen, settings.noise), normal), truth)


def _layer(settings: BoltzmannMachine, generator: np.random.Generator) -> tuple[Layer, dict, np.random.Generator]:
    """A layer with random weights and offsets, the truth with both, and the generator of points."""
    source, points = generator.spawn(2)
    weights = source.normal(0, settings.strength, (settings.dim, settings.true_latent_dim))
    truth = {"weights": weights, "offset": source.normal(0, 0.5, settings.dim)}
    return layer(truth), truth, points


def _above(settings: DeepSettings, generator: np.random.Generator) -> dict:
    """The truth of a higher layer."""
    (source,) = generator.spawn(1)
    shape = settings.true_latent_dim, settings.upper_latent_dim
    return {"upper_weights": source.normal(0, settings.strength, shape)}


def _given_states(seen: Layer, log_mass: np.ndarray, visible: Visible) -> Draw:
    """Points of states that are drawn with these masses."""

    def drawn(count: int, part: np.random.Generator) -> np.ndarray:
        chosen = part.choice(len(log_mass), size=count, p=softmax(log_mass))
        return visible(seen.inputs[chosen], part)

    return drawn


def _binary(logits: np.ndarray, part: np.random.Generator) -> np.ndarray:
    return (part.random(logits.shape) < expit(logits)).astype(float)


def mixture_of_gaussians(settings: MixtureOfGaussians, data_dir: Path, generator: np.random.Generator) -> dict:
    r"""Components of equal weight: $x_d \sim N(\mu_{kd}, \sigma^2)$, $\mu_{kd} \sim N(0, s^2)$.

    The means `means` μ (K, D) and the `noise` σ are returned as truth.

    Example:
        >>> settings = MixtureOfGaussians(train=10, test=5)
        >>> mixture_of_gaussians(settings, Path(), np.random.default_rng(0))["truth"]["means"].shape
        (3, 5)
    """
    further = {"noise": np.array(settings.noise)}
    return _mixture(settings, generator, lambda z: z, lambda means, part: part.normal(means, settings.noise), **further)


def mixture_of_bernoullis(settings: MixtureOfBernoullis, data_dir: Path, generator: np.random.Generator) -> dict:
    r"""Components of equal weight: $x_d \sim B(\mu_{kd})$, $\mathrm{logit}\,\mu_{kd} \sim N(0, s^2)$.

    The means `means` μ (K, D) are returned as truth.

    Example:
        >>> settings = MixtureOfBernoullis(train=10, test=5)
        >>> mixture_of_bernoullis(settings, Path(), np.random.default_rng(0))["train"].shape
        (10, 16)
    """
    return _mixture(settings, generator, expit, lambda means, part: (part.random(means.shape) < means).astype(float))


def mixture_of_poissons(settings: MixtureOfPoissons, data_dir: Path, generator: np.random.Generator) -> dict:
    r"""Components of equal weight: $x_d \sim \mathrm{Poisson}(\mu_{kd})$, $\log(\mu_{kd} / r) \sim N(0, s^2)$.

    The means `means` μ (K, D) are returned as truth.

    Example:
        >>> settings = MixtureOfPoissons(train=10, test=5)
        >>> mixture_of_poissons(settings, Path(), np.random.default_rng(0))["train"].shape
        (10, 5)
    """
    return _mixture(
        settings, generator, lambda z: settings.rate * np.exp(z), lambda means, part: part.poisson(means).astype(float)
    )


def mixture_of_gammas(settings: MixtureOfGammas, data_dir: Path, generator: np.random.Generator) -> dict:
    r"""Components of equal weight: $x_d \sim \mathrm{Gamma}(\alpha, \alpha/\mu_{kd})$, $\log\mu_{kd} \sim N(0, s^2)$.

    The means `means` μ (K, D) and the `shape` α, 1 for exponential components, are returned as truth.

    Example:
        >>> arrays = mixture_of_gammas(MixtureOfGammas(train=10, test=5), Path(), np.random.default_rng(0))
        >>> arrays["train"].shape, bool((arrays["train"] > 0).all())
        ((10, 5), True)
    """
    shape = settings.shape_parameter
    return _mixture(
        settings, generator, np.exp, lambda means, part: part.gamma(shape, means / shape), shape=np.array(shape)
    )


def _mixture(
    settings: Mixture,
    generator: np.random.Generator,
    means_of: Callable[[np.ndarray], np.ndarray],
    given: Visible,
    **further: np.ndarray,
) -> dict:
    """Components of equal weight, their means a function of normal numbers of standard deviation `strength`."""
    truth, points = generator.spawn(2)
    means = means_of(truth.normal(0, settings.strength, (settings.components, settings.dim)))

    def drawn(count: int, part: np.random.Generator) -> np.ndarray:
        return given(means[part.integers(settings.components, size=count)], part)

    return _split(settings, points, drawn, {"means": means, **further})


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
