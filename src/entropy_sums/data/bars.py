"""Bars and sparse superpositions: data of binary or Laplace latents, such as rows and columns of an image."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar

import numpy as np
from pydantic import Field, PositiveInt

from entropy_sums.data.base import DrawnSettings, LatentSettings, Positive, Probability, StandardDeviation
from entropy_sums.data.draw import in_parts
from entropy_sums.data.preparation import to_real
from entropy_sums.data.truths import Truth, Unknown, given_means, independent, marginal
from entropy_sums.supports import Support


class Bars(DrawnSettings):
    r"""Binary images of R × R pixels, a superposition of rows and columns; `latent_dim: 2R` is the truth.

    With `noise` they are real-valued, with `dequantise` numbers between 0 and 1.
    """

    name = "bars"
    source = "generated; Földiák (Biological Cybernetics 1990)"
    remedies: ClassVar[Mapping[Support, Mapping[str, Any]]] = {
        "binary": {"noise": 0.0, "dequantise": False},
        "counts": {"noise": 0.0, "dequantise": False},
        "nonnegative": {"noise": 0.0},
        "positive": {"noise": 0.0, "dequantise": True},
    }

    side: Annotated[int, Field(ge=2)] = 4
    """Number of pixels R of a row; the data have R² dimensions."""
    probability: Probability = 0.2
    """Probability of each bar."""
    noise: StandardDeviation = 0.0
    """Standard deviation of Gaussian noise on every pixel."""
    dequantise: bool = False
    """Replace pixels of 0 by uniform draws from [0, ½], and pixels of 1 by uniform draws from [½, 1]."""

    @property
    def shape(self) -> tuple[int, int]:
        return self.train, self.side**2

    @property
    def support(self) -> Support:
        if self.noise:
            return "real"
        return "positive" if self.dequantise else "binary"

    @property
    def true_weights(self) -> tuple[int, int]:
        return self.side**2, 2 * self.side

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict:
        r"""Images of R × R pixels: each row and column is on with probability p, a pixel where its row or column is.

        Then they are dequantised or get noise, as the settings say. The truth is the bars as `weights` (D, 2R), the
        `probability` p, and the standard deviation `noise` σ or `dequantised` 1 where they are not 0.
        Source: Földiák (Biological Cybernetics 1990).

        Example:
            >>> arrays = Bars(side=3, train=50, test=5).arrays(Path(), np.random.default_rng(0))
            >>> arrays["truth"]["weights"][:, 0].reshape(3, 3)
            array([[1., 1., 1.],
                   [0., 0., 0.],
                   [0., 0., 0.]])
        """
        weights = bar_images(self.side)

        def drawn(count: int, part: np.random.Generator) -> np.ndarray:
            present = part.random((count, 2 * self.side)) < self.probability
            return to_real(present @ weights.T > 0, 1, self, *part.spawn(1))

        truth = {"probability": self.probability, "noise": self.noise, "dequantised": float(self.dequantise)}
        return in_parts(
            self, generator, drawn, {"weights": weights} | {name: np.array(v) for name, v in truth.items() if v}
        )

    @staticmethod
    def log_density(x: np.ndarray, truth: Truth) -> np.ndarray:
        """Log-density: a sum over the sets of bars that make the image, or over all images where it has noise."""
        z, log_prior = independent(truth)
        made, which = np.unique(z @ truth["weights"].T > 0, axis=0, return_inverse=True)
        log_masses = np.log(np.bincount(which.ravel(), np.exp(log_prior)))
        dequantised = "dequantised" in truth
        if "noise" in truth:
            if dequantised:
                raise Unknown
            return marginal(given_means(x, made, truth["noise"]), log_masses)
        known = {image.tobytes(): mass for image, mass in zip(made, log_masses, strict=True)}
        found = np.array([known[image.tobytes()] for image in np.ascontiguousarray(x >= 0.5)])
        # A pixel is uniform on one half of the unit interval
        return found + dequantised * x.shape[1] * np.log(2)


class SparseSources(LatentSettings):
    """Sparse coding: Laplace latents, a weight matrix with columns of norm 1, Gaussian noise."""

    name = "sparse_sources"
    source = "generated; Velychko et al. (AISTATS 2024)"
    numbers = "real"

    true_latent_dim: PositiveInt = 8
    """Number of latents that the data are generated from."""
    scale: Positive = 1.0
    r"""Scale $\lambda$ of the Laplace latents."""
    noise: Positive = 0.1
    """Standard deviation of the Gaussian noise on every coordinate."""

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict:
        r"""Sparse coding, $x = Wz + \sigma\varepsilon$ with Laplace latents $z_h$ of scale λ; columns of W have norm 1.

        `weights` W (D, H), `scale` λ and `noise` σ are returned as truth.

        Example:
            >>> arrays = SparseSources(train=10, test=5).arrays(Path(), np.random.default_rng(0))
            >>> arrays["train"].shape, np.linalg.norm(arrays["truth"]["weights"], axis=0).round(6).tolist()
            ((10, 16), [1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
        """
        truth, points = generator.spawn(2)
        weights = truth.standard_normal((self.dim, self.true_latent_dim))
        weights /= np.linalg.norm(weights, axis=0)
        return _superposed(self, points, weights)


class SparseBars(DrawnSettings):
    """Sparse coding with bars: Laplace latents, a row or column of R × R pixels for each, Gaussian noise.

    `latent_dim: 2R` is the truth.
    """

    name = "sparse_bars"
    source = "generated; Velychko et al. (AISTATS 2024)"
    numbers = "real"

    side: Annotated[int, Field(ge=2)] = 5
    """Number of pixels R of a row; the data have R² dimensions."""
    scale: Positive = 1.0
    r"""Scale $\lambda$ of the Laplace latents."""
    noise: Positive = 0.1
    """Standard deviation of the Gaussian noise on every pixel."""

    @property
    def shape(self) -> tuple[int, int]:
        return self.train, self.side**2

    @property
    def true_weights(self) -> tuple[int, int]:
        return self.side**2, 2 * self.side

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict:
        r"""Sparse bars, $x = Wz + \sigma\varepsilon$: Laplace latents of scale λ, the 2R bars as columns of W.

        The truth is `weights` W (D, H), with entries 0 and 1 instead of columns of norm 1, `scale` λ and `noise` σ.
        Source: Velychko et al. (AISTATS 2024), official code, `learning-bars`.

        Example:
            >>> arrays = SparseBars(train=10, test=5).arrays(Path(), np.random.default_rng(0))
            >>> arrays["train"].shape, arrays["truth"]["weights"].shape
            ((10, 25), (25, 10))
        """
        return _superposed(self, generator, bar_images(self.side))


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


def _superposed(settings: SparseBars | SparseSources, generator: np.random.Generator, weights: np.ndarray) -> dict:
    dim, latents = weights.shape

    def drawn(count: int, part: np.random.Generator) -> np.ndarray:
        z = part.laplace(0, settings.scale, (count, latents))
        return z @ weights.T + settings.noise * part.standard_normal((count, dim))

    scales = {"scale": np.array(settings.scale), "noise": np.array(settings.noise)}
    return in_parts(settings, generator, drawn, {"weights": weights, **scales})
