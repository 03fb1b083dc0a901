"""Linear and nearly linear Gaussian data, counts and a stream, with their ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field, PositiveInt

from entropy_sums.data.base import (
    DatasetSettings,
    EmbeddedSettings,
    PointCount,
    Positive,
    StandardDeviation,
    VectorSettings,
)
from entropy_sums.data.draw import in_parts, noisy, parts, with_noise
from entropy_sums.data.preparation import add_noise
from entropy_sums.data.truths import Truth


class PCA(EmbeddedSettings):
    r"""Linear Gaussian data $x = Wz + b + \sigma\varepsilon$ with $W, b \sim U(0, 1)$: the ground truth is known."""

    name = "pca"
    label = "PCA"
    source = "generated; Damm et al. (AISTATS 2023), figure 1a"

    noise: StandardDeviation = 0.1
    r"""Standard deviation $\sigma$ of the Gaussian noise on every coordinate."""

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict:
        r"""Linear Gaussian data, $x = Wz + b + \sigma\varepsilon$, $z \sim N(0, I)$, $W_{dh}, b_d \sim U(0, 1)$.

        Their covariance is $WW^\top + \sigma^2 I$. The truth is `weights` W (D, H), `offset` b (D,) and `noise` σ.
        Source: Damm et al. (AISTATS 2023), official code, `generate_PCA_data`.

        Example:
            >>> arrays = PCA(train=10, test=5).arrays(Path(), np.random.default_rng(0))
            >>> arrays["train"].shape, arrays["truth"]["weights"].shape
            ((10, 10), (10, 2))
        """
        truth, points = generator.spawn(2)
        weights, offset = _linear_map(self, truth)
        return {
            **noisy(self, points, lambda count, part: _latents(self, count, part) @ weights.T + offset),
            "truth": {"weights": weights, "offset": offset, "noise": np.array(self.noise)},
        }

    @property
    def true_weights(self) -> tuple[int, int]:
        return self.dim, self.true_latent_dim

    @staticmethod
    def log_density(x: np.ndarray, truth: Truth) -> np.ndarray:
        """Log-density of $N(b, WW^T + σ^2 I)$."""
        weights, noise = truth["weights"], truth["noise"]
        # Along the columns of W and across them: a covariance of all dimensions is singular where σ is small
        basis, lengths, _ = np.linalg.svd(weights, full_matrices=False)
        variances = np.concatenate([lengths**2, np.zeros(len(weights) - len(lengths))]) + noise**2
        centred = x - truth["offset"]
        along = centred @ basis
        across = centred - along @ basis.T
        squares = (along**2 / variances[: len(lengths)]).sum(1) + (across**2).sum(1) / noise**2
        return -0.5 * (squares + np.log(2 * np.pi * variances).sum())


class PCARing(EmbeddedSettings):
    r"""PCA data whose latents are first moved to a ring, $z \leftarrow z/10 + z/\|z\|$."""

    name = "pca_ring"
    label = "PCA-ring"
    source = "generated; Damm et al. (AISTATS 2023), figure 1c"

    noise: StandardDeviation = 0.1
    r"""Standard deviation $\sigma$ of the Gaussian noise on every coordinate."""

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict:
        r"""PCA data with latents on a ring, $z \leftarrow z/10 + z/\|z\|$ for $z \sim N(0, I)$.

        No truth is returned: the data are not Gaussian, and the likelihood of PCA does not apply.
        Source: Damm et al. (AISTATS 2023), official code, `generate_PCA_ring_data`.

        Example:
            >>> PCARing(train=10, test=5).arrays(Path(), np.random.default_rng(0))["test"].shape
            (5, 10)
        """
        truth, points = generator.spawn(2)
        weights, offset = _linear_map(self, truth)
        return noisy(self, points, lambda count, part: to_ring(_latents(self, count, part)) @ weights.T + offset)


class Counts(VectorSettings):
    r"""Counts $x_d \sim \mathrm{Poisson}(\exp(w_d^\top z) r)$ with $z \sim N(0, I)$, $W_{dh} \sim N(0, 1/4)$."""

    name = "counts"
    source = "generated"
    numbers = "counts"

    dim: PositiveInt = 10
    """Number D of data dimensions."""
    true_latent_dim: PositiveInt = 2
    """Number of latent dimensions that the data are generated from."""
    rate: Positive = 3.0
    """Rate r of every dimension where the latents are zero."""

    @property
    def true_weights(self) -> tuple[int, int]:
        return self.dim, self.true_latent_dim

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict:
        r"""Counts $x_d \sim \mathrm{Poisson}(\exp(w_d^\top z) r)$, $z \sim N(0, I)$, $W_{dh} \sim N(0, 1/4)$.

        `weights` W (D, H) and the log rates at z = 0 as `offset` (D,) are returned as truth.

        Example:
            >>> arrays = Counts(train=10, test=5, dim=3).arrays(Path(), np.random.default_rng(0))
            >>> arrays["train"].shape, bool((arrays["train"] == arrays["train"].round()).all())
            ((10, 3), True)
        """
        truth, points = generator.spawn(2)
        weights = truth.normal(0, 0.5, (self.dim, self.true_latent_dim))
        offset = np.full(self.dim, np.log(self.rate))

        def drawn(count: int, part: np.random.Generator) -> np.ndarray:
            latents = part.standard_normal((count, self.true_latent_dim))
            return part.poisson(np.exp(latents @ weights.T + offset)).astype(float)

        return in_parts(self, points, drawn, {"weights": weights, "offset": offset})


class Manifold(EmbeddedSettings):
    """Gaussian base dimensions, and cosines of two squared base dimensions each, scaled to [0, 1]."""

    name = "manifold"
    source = "generated; Damm et al. (AISTATS 2023), low-dimensional manifolds"

    dim: PositiveInt = 100
    """Number D of data dimensions."""
    true_latent_dim: PositiveInt = 10
    """Number of Gaussian base dimensions."""
    noise: StandardDeviation = 0.01
    """Standard deviation of the Gaussian noise after scaling to [0, 1]; the published data have none."""
    scale: Positive = 0.35
    """Standard deviation of the base dimensions and height of the cosine."""

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict:
        r"""Base dimensions $z_k \sim N(-s/2, s^2)$, further dimensions $s\cos(z_a^2 + z_b^2)$ of random pairs a, b.

        Every dimension is scaled to [0, 1] by the extremes of the noise-free training points.
        Source: Damm et al. (AISTATS 2023), official code, `ToyDataset`, whose test set is its training set.

        Example:
            >>> arrays = Manifold(noise=0.0, train=50, test=5).arrays(Path(), np.random.default_rng(0))
            >>> float(arrays["train"].min()), float(arrays["train"].max())
            (0.0, 1.0)
        """
        truth, points = generator.spawn(2)
        pairs = truth.integers(self.true_latent_dim, size=(self.dim - self.true_latent_dim, 2))

        train, test = parts(
            self, points, lambda count, part: to_manifold(_latents(self, count, part), pairs, self.scale)
        )
        low, high = train.min(axis=0), train.max(axis=0)
        return with_noise(self, points, (train - low) / (high - low), (test - low) / (high - low))


class Stream(DatasetSettings):
    """Gaussian segments of 6, 2 and 4 latents one after the other, for phases with `order: given`.

    Held-out points are from the last segment, at which training ends. With fewer `segments` the stream ends sooner, and
    its points stay the same until then: `segments: [1, 2, 3]` shows the end of each segment.

    Example:
        >>> Stream(segment=1000).shape
        (3000, 10)
    """

    name = "stream"
    source = "generated; Damm et al. (AISTATS 2023), streaming model selection"
    numbers = "real"
    true_latent_dims: ClassVar[tuple[int, ...]] = (6, 2, 4)

    segment: PointCount = 100_000
    """Number of points of a segment."""
    segments: Literal[1, 2, 3] = 3
    """Number of segments."""
    test: PointCount = 10_000
    """Number of held-out points, all from the last segment."""
    dim: Annotated[int, Field(ge=6)] = 10
    """Number D of data dimensions."""
    noise: StandardDeviation = 0.1
    """Standard deviation of the Gaussian noise on every coordinate."""

    @property
    def shape(self) -> tuple[int, int]:
        return self.segment * self.segments, self.dim

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict:
        r"""Segments $x = U \mathrm{diag}(s_k)\varepsilon + \sigma\varepsilon'$ with one orthogonal U.

        The scales $s_{kd}$ of segment k go from 1 to 5 in D equal steps and are 0 from entry $H_k$ on: it has $H_k$
        latents and the covariance $U \mathrm{diag}(s_k^2) U^\top + \sigma^2 I$. The truth is `transform` U (D, D),
        `scales` (segments, D) and `noise` σ; the training points are the segments in their order.
        Source: Damm et al. (AISTATS 2023), official code, `experiment_online_model_selection`.

        Example:
            >>> arrays = Stream(segment=10, test=5).arrays(Path(), np.random.default_rng(0))
            >>> arrays["train"].shape, arrays["test"].shape, (arrays["truth"]["scales"] > 0).sum(axis=1).tolist()
            ((30, 10), (5, 10), [6, 2, 4])
        """
        from scipy.stats import ortho_group

        truth, points, held_out = generator.spawn(3)
        transform = ortho_group.rvs(self.dim, random_state=truth)
        kept = np.arange(self.dim) < np.array(self.true_latent_dims[: self.segments])[:, None]
        scales = np.where(kept, np.linspace(1, 5, self.dim), 0)

        def drawn(count: int, scale: np.ndarray, part: np.random.Generator) -> np.ndarray:
            latents, noise = part.spawn(2)
            return add_noise(latents.standard_normal((count, self.dim)) * scale @ transform.T, self.noise, noise)

        parts = points.spawn(len(scales))
        return {
            "train": np.concatenate([drawn(self.segment, *pair) for pair in zip(scales, parts, strict=True)]),
            "test": drawn(self.test, scales[-1], held_out),
            "truth": {"transform": transform, "scales": scales, "noise": np.array(self.noise)},
        }


def to_ring(latents: np.ndarray) -> np.ndarray:
    r"""Latents moved near the unit sphere, $z/10 + z/\|z\|$, of radius $1 + \|z\|/10$; shape (points, H).

    Example:
        >>> to_ring(np.array([[3.0, 4.0]]))
        array([[0.9, 1.2]])
    """
    return latents / 10 + latents / np.linalg.norm(latents, axis=1, keepdims=True)


def to_manifold(latents: np.ndarray, pairs: np.ndarray, scale: float) -> np.ndarray:
    r"""Base dimensions $z = s(\varepsilon - 1/2)$ and, for each pair (a, b), $s\cos(z_a^2 + z_b^2)$.

    `latents` ε of shape (points, H) and `pairs` of shape (K, 2) give points of shape (points, H + K).

    Example:
        >>> to_manifold(np.array([[0.5, 0.5]]), np.array([[0, 1]]), 0.35)
        array([[0.  , 0.  , 0.35]])
    """
    base = scale * (latents - 0.5)
    return np.hstack([base, scale * np.cos((base[:, pairs] ** 2).sum(axis=-1))])


def _latents(settings: EmbeddedSettings, count: int, part: np.random.Generator) -> np.ndarray:
    return part.standard_normal((count, settings.true_latent_dim))


def _linear_map(settings: EmbeddedSettings, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return generator.random((settings.dim, settings.true_latent_dim)), generator.random(settings.dim)
