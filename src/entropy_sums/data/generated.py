"""Data drawn from known distributions.

Ground truth, training points and held-out points have generators of their own, and so has the noise: changing the
number of training points changes neither the ground truth nor the held-out points.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy.stats import ortho_group

from entropy_sums.data.preparation import add_noise
from entropy_sums.data.settings import PCA as PCASettings
from entropy_sums.data.settings import (
    Circle,
    Cosine,
    Counts,
    Eight,
    EmbeddedSettings,
    GeneratedSettings,
    GridOfGaussians,
    Manifold,
    PCARing,
    RingOfGaussians,
    Spiral,
    Stream,
    SwissRoll,
)

Shape = Callable[[int, np.random.Generator], np.ndarray]
"""Draws that many noise-free points, shape (count, D)."""


def pca(settings: PCASettings, data_dir: Path, generator: np.random.Generator) -> dict:
    r"""Linear Gaussian data, $x = Wz + b + \sigma\varepsilon$, $z \sim N(0, I)$, $W_{dh}, b_d \sim U(0, 1)$.

    Their covariance is $WW^\top + \sigma^2 I$; `weights` W (D, H), `offset` b (D,) and `noise` σ are returned as truth.
    Source: Damm et al. (AISTATS 2023), official code, `generate_PCA_data`.

    Example:
        >>> arrays = pca(PCASettings(train=10, test=5), Path(), np.random.default_rng(0))
        >>> arrays["train"].shape, arrays["truth"]["weights"].shape
        ((10, 10), (10, 2))
    """
    truth, points = generator.spawn(2)
    weights, offset = _linear_map(settings, truth)
    return {
        **_noisy(settings, points, lambda count, part: _latents(settings, count, part) @ weights.T + offset),
        "truth": {"weights": weights, "offset": offset, "noise": np.array(settings.noise)},
    }


def pca_ring(settings: PCARing, data_dir: Path, generator: np.random.Generator) -> dict:
    r"""PCA data with latents on a ring, $z \leftarrow z/10 + z/\|z\|$ for $z \sim N(0, I)$.

    No truth is returned: the data are not Gaussian, and the likelihood of PCA is not theirs.
    Source: Damm et al. (AISTATS 2023), official code, `generate_PCA_ring_data`.

    Example:
        >>> pca_ring(PCARing(train=10, test=5), Path(), np.random.default_rng(0))["test"].shape
        (5, 10)
    """
    truth, points = generator.spawn(2)
    weights, offset = _linear_map(settings, truth)
    return _noisy(settings, points, lambda count, part: to_ring(_latents(settings, count, part)) @ weights.T + offset)


def to_ring(latents: np.ndarray) -> np.ndarray:
    r"""Latents moved near the unit sphere, $z/10 + z/\|z\|$, of radius $1 + \|z\|/10$; shape (points, H).

    Example:
        >>> to_ring(np.array([[3.0, 4.0]]))
        array([[0.9, 1.2]])
    """
    return latents / 10 + latents / np.linalg.norm(latents, axis=1, keepdims=True)


def counts(settings: Counts, data_dir: Path, generator: np.random.Generator) -> dict:
    r"""Counts $x_d \sim \mathrm{Poisson}(\exp(w_d^\top z) r)$, $z \sim N(0, I)$, $W_{dh} \sim N(0, 1/4)$.

    `weights` W (D, H) and the log rates at z = 0 as `offset` (D,) are returned as truth.

    Example:
        >>> arrays = counts(Counts(train=10, test=5, dim=3), Path(), np.random.default_rng(0))
        >>> arrays["train"].shape, bool((arrays["train"] == arrays["train"].round()).all())
        ((10, 3), True)
    """
    truth, points = generator.spawn(2)
    weights = truth.normal(0, 0.5, (settings.dim, settings.true_latent_dim))
    offset = np.full(settings.dim, np.log(settings.rate))

    def drawn(count: int, part: np.random.Generator) -> np.ndarray:
        latents = part.standard_normal((count, settings.true_latent_dim))
        return part.poisson(np.exp(latents @ weights.T + offset)).astype(float)

    train, test = points.spawn(2)
    return {
        "train": drawn(settings.train, train),
        "test": drawn(settings.test, test),
        "truth": {"weights": weights, "offset": offset},
    }


def manifold(settings: Manifold, data_dir: Path, generator: np.random.Generator) -> dict:
    r"""Base dimensions $z_k \sim N(-s/2, s^2)$, further dimensions $s\cos(z_a^2 + z_b^2)$ of random pairs a, b.

    Every dimension is scaled to [0, 1] by the extremes of the noise-free training points.
    Source: Damm et al. (AISTATS 2023), official code, `ToyDataset`, whose test set is its training set.

    Example:
        >>> arrays = manifold(Manifold(noise=0.0, train=50, test=5), Path(), np.random.default_rng(0))
        >>> float(arrays["train"].min()), float(arrays["train"].max())
        (0.0, 1.0)
    """
    truth, points = generator.spawn(2)
    pairs = truth.integers(settings.true_latent_dim, size=(settings.dim - settings.true_latent_dim, 2))

    train, test = _draw(
        settings, points, lambda count, part: to_manifold(_latents(settings, count, part), pairs, settings.scale)
    )
    low, high = train.min(axis=0), train.max(axis=0)
    return _with_noise(settings, points, (train - low) / (high - low), (test - low) / (high - low))


def to_manifold(latents: np.ndarray, pairs: np.ndarray, scale: float) -> np.ndarray:
    r"""Base dimensions $z = s(\varepsilon - 1/2)$ and, for each pair (a, b), $s\cos(z_a^2 + z_b^2)$.

    `latents` ε of shape (points, H) and `pairs` of shape (K, 2) give points of shape (points, H + K).

    Example:
        >>> to_manifold(np.array([[0.5, 0.5]]), np.array([[0, 1]]), 0.35)
        array([[0.  , 0.  , 0.35]])
    """
    base = scale * (latents - 0.5)
    return np.hstack([base, scale * np.cos((base[:, pairs] ** 2).sum(axis=-1))])


def ring_of_gaussians(settings: RingOfGaussians, data_dir: Path, generator: np.random.Generator) -> dict:
    r"""Gaussians of equal weight at $(\cos, \sin)(2\pi k/K)$, k = 0 … K − 1.

    Example:
        >>> ring_of_gaussians(RingOfGaussians(train=9, test=5), Path(), np.random.default_rng(0))["train"].shape
        (9, 2)
    """
    components = settings.components
    return _noisy(
        settings,
        generator,
        lambda count, part: _on_circle(2 * np.pi * part.integers(components, size=count) / components),
    )


def circle(settings: Circle, data_dir: Path, generator: np.random.Generator) -> dict:
    r"""The unit circle, $(\cos t, \sin t)$ with $t \sim U(0, 2\pi)$.

    Example:
        >>> arrays = circle(Circle(train=9, test=5, noise=0.0), Path(), np.random.default_rng(0))
        >>> bool(np.allclose(np.linalg.norm(arrays["train"], axis=1), 1))
        True
    """
    return _noisy(settings, generator, lambda count, part: _on_circle(part.uniform(0, 2 * np.pi, count)))


def eight(settings: Eight, data_dir: Path, generator: np.random.Generator) -> dict:
    r"""The lemniscate of Gerono, $(\cos t, \sin t \cos t)$ with $t \sim U(0, 2\pi)$: $y^2 = x^2 - x^4$.

    Example:
        >>> x, y = eight(Eight(train=9, test=5, noise=0.0), Path(), np.random.default_rng(0))["train"].T
        >>> bool(np.allclose(y**2, x**2 - x**4))
        True
    """

    def shape(count: int, part: np.random.Generator) -> np.ndarray:
        x, y = _on_circle(part.uniform(0, 2 * np.pi, count)).T
        return np.stack([x, x * y], axis=1)

    return _noisy(settings, generator, shape)


def swiss_roll(settings: SwissRoll, data_dir: Path, generator: np.random.Generator) -> dict:
    r"""The Swiss roll $(t\cos t, 21 u, t\sin t)/4.5\pi$ with $t \sim U(1.5\pi, 4.5\pi)$, $u \sim U(0, 1)$.

    Source: scikit-learn's `make_swiss_roll`, divided by its outer radius.

    Example:
        >>> swiss_roll(SwissRoll(train=9, test=5), Path(), np.random.default_rng(0))["train"].shape
        (9, 3)
    """

    def shape(count: int, part: np.random.Generator) -> np.ndarray:
        turn, width = part.random((count, 2)).T
        angle = 1.5 * np.pi * (1 + 2 * turn)
        x, z = angle * _on_circle(angle).T
        return np.stack([x, 21 * width, z], axis=1) / (4.5 * np.pi)

    return _noisy(settings, generator, shape)


def cosine(settings: Cosine, data_dir: Path, generator: np.random.Generator) -> dict:
    r"""One and a half periods of a cosine, $(t, \cos t)$ with $t \sim U(0, 3\pi)$.

    Source: Damm et al. (AISTATS 2023), official code, `ToyDataset`, which then scales both axes to [0, 1].

    Example:
        >>> x, y = cosine(Cosine(train=9, test=5, noise=0.0), Path(), np.random.default_rng(0))["train"].T
        >>> bool(np.allclose(y, np.cos(x)))
        True
    """

    def shape(count: int, part: np.random.Generator) -> np.ndarray:
        along = part.uniform(0, 3 * np.pi, count)
        return np.stack([along, np.cos(along)], axis=1)

    return _noisy(settings, generator, shape)


def spiral(settings: Spiral, data_dir: Path, generator: np.random.Generator) -> dict:
    r"""A turn of a helix, $(x - z, y, x + z)$, $(x, y, z) = 2.5 (\sin 2\pi t, \cos 2\pi t, 1.2 t)$, $t \sim U(0, 1)$.

    Source: Damm et al. (AISTATS 2023), official code, `ToyDataset`, which then scales all axes to [0, 1].

    Example:
        >>> spiral(Spiral(train=9, test=5), Path(), np.random.default_rng(0))["train"].shape
        (9, 3)
    """

    def shape(count: int, part: np.random.Generator) -> np.ndarray:
        along = part.random(count)
        y, x = 2.5 * _on_circle(2 * np.pi * along).T
        z = 3 * along
        return np.stack([x - z, y, x + z], axis=1)

    return _noisy(settings, generator, shape)


def grid_of_gaussians(settings: GridOfGaussians, data_dir: Path, generator: np.random.Generator) -> dict:
    r"""Gaussians of equal weight at the K × K points of a grid with corners $(\pm 1, \pm 1)$.

    Example:
        >>> settings = GridOfGaussians(side=2, noise=0.0, train=40, test=5)
        >>> arrays = grid_of_gaussians(settings, Path(), np.random.default_rng(0))
        >>> np.unique(arrays["train"], axis=0).tolist()
        [[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]]
    """
    ticks = np.linspace(-1, 1, settings.side)
    return _noisy(settings, generator, lambda count, part: ticks[part.integers(settings.side, size=(count, 2))])


def stream(settings: Stream, data_dir: Path, generator: np.random.Generator) -> dict:
    r"""Segments $x = U \mathrm{diag}(s_k)\varepsilon + \sigma\varepsilon'$ with one orthogonal U.

    The scales $s_{kd}$ of segment k go from 1 to 5 in D equal steps and are 0 from entry $H_k$ on: it has $H_k$ latents
    and the covariance $U \mathrm{diag}(s_k^2) U^\top + \sigma^2 I$. The truth is `transform` U (D, D), `scales`
    (segments, D) and `noise` σ; the training points are the segments in their order.
    Source: Damm et al. (AISTATS 2023), official code, `experiment_online_model_selection`.

    Example:
        >>> arrays = stream(Stream(segment=10, test=5), Path(), np.random.default_rng(0))
        >>> arrays["train"].shape, arrays["test"].shape, (arrays["truth"]["scales"] > 0).sum(axis=1).tolist()
        ((30, 10), (5, 10), [6, 2, 4])
    """
    truth, points, held_out = generator.spawn(3)
    transform = ortho_group.rvs(settings.dim, random_state=truth)
    kept = np.arange(settings.dim) < np.array(settings.true_latent_dims[: settings.segments])[:, None]
    scales = np.where(kept, np.linspace(1, 5, settings.dim), 0)

    def drawn(count: int, scale: np.ndarray, part: np.random.Generator) -> np.ndarray:
        latents, noise = part.spawn(2)
        return add_noise(latents.standard_normal((count, settings.dim)) * scale @ transform.T, settings.noise, noise)

    parts = points.spawn(len(scales))
    return {
        "train": np.concatenate([drawn(settings.segment, *pair) for pair in zip(scales, parts, strict=True)]),
        "test": drawn(settings.test, scales[-1], held_out),
        "truth": {"transform": transform, "scales": scales, "noise": np.array(settings.noise)},
    }


def _on_circle(angle: np.ndarray) -> np.ndarray:
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _latents(settings: EmbeddedSettings, count: int, part: np.random.Generator) -> np.ndarray:
    return part.standard_normal((count, settings.true_latent_dim))


def _linear_map(settings: EmbeddedSettings, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return generator.random((settings.dim, settings.true_latent_dim)), generator.random(settings.dim)


def _draw(settings: GeneratedSettings, generator: np.random.Generator, shape: Shape) -> tuple[np.ndarray, np.ndarray]:
    train, test = generator.spawn(2)
    return shape(settings.train, train), shape(settings.test, test)


def _with_noise(
    settings: GeneratedSettings, generator: np.random.Generator, train: np.ndarray, test: np.ndarray
) -> dict[str, np.ndarray]:
    train_noise, test_noise = generator.spawn(2)
    return {
        "train": add_noise(train, settings.noise, train_noise),
        "test": add_noise(test, settings.noise, test_noise),
    }


def _noisy(settings: GeneratedSettings, generator: np.random.Generator, shape: Shape) -> dict[str, np.ndarray]:
    return _with_noise(settings, generator, *_draw(settings, generator, shape))
