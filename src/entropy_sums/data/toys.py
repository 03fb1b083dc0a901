"""Toy data in two and three dimensions."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, PositiveInt

from entropy_sums.data.base import GeneratedSettings
from entropy_sums.data.draw import noisy
from entropy_sums.data.scaling import Scaling


class ToySettings(GeneratedSettings):
    """Points that are drawn one by one."""

    scale: Literal["none", "unit_columns"] = "none"
    """`unit_columns` scales every coordinate to [0, 1] by the extremes of the training points, as for the published
    training curves. Noise is added before."""

    @abstractmethod
    def draw(self, count: int, generator: np.random.Generator) -> np.ndarray:
        """A number of points without noise, shape (count, D)."""

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict:
        """Training and held-out points with noise.

        Example:
            >>> arrays = Circle(scale="unit_columns", train=9, test=5).arrays(Path(), np.random.default_rng(0))
            >>> arrays["train"].min(axis=0).tolist(), arrays["train"].max(axis=0).tolist()
            ([0.0, 0.0], [1.0, 1.0])
        """
        drawn = noisy(self, generator, self.draw)
        scaling = Scaling.fitted(self.scale, drawn["train"])
        return {**{part: scaling(points) for part, points in drawn.items()}, "scaling": scaling}


class RingOfGaussians(ToySettings):
    """Gaussians of equal weight on the unit circle, of standard deviation `noise`; 2 dimensions."""

    name = "ring_of_gaussians"
    label = "ring of Gaussians"
    source = "generated"

    components: PositiveInt = 8
    """Number of Gaussians."""

    def draw(self, count: int, generator: np.random.Generator) -> np.ndarray:
        r"""Gaussians of equal weight at $(\cos, \sin)(2\pi k/K)$, k = 0 … K − 1.

        Example:
            >>> RingOfGaussians(train=9, test=5).arrays(Path(), np.random.default_rng(0))["train"].shape
            (9, 2)
        """
        return _on_circle(2 * np.pi * generator.integers(self.components, size=count) / self.components)


class Circle(ToySettings):
    """The unit circle, uniform in the angle; 2 dimensions."""

    name = "circle"
    source = "generated"

    def draw(self, count: int, generator: np.random.Generator) -> np.ndarray:
        r"""The unit circle, $(\cos t, \sin t)$ with $t \sim U(0, 2\pi)$.

        Example:
            >>> arrays = Circle(train=9, test=5, noise=0.0).arrays(Path(), np.random.default_rng(0))
            >>> bool(np.allclose(np.linalg.norm(arrays["train"], axis=1), 1))
            True
        """
        return _on_circle(generator.uniform(0, 2 * np.pi, count))


class Eight(ToySettings):
    """A lying eight, the lemniscate of Gerono, uniform in the angle; 2 dimensions."""

    name = "eight"
    source = "generated"

    def draw(self, count: int, generator: np.random.Generator) -> np.ndarray:
        r"""The lemniscate of Gerono, $(\cos t, \sin t \cos t)$ with $t \sim U(0, 2\pi)$: $y^2 = x^2 - x^4$.

        Example:
            >>> x, y = Eight(train=9, test=5, noise=0.0).arrays(Path(), np.random.default_rng(0))["train"].T
            >>> bool(np.allclose(y**2, x**2 - x**4))
            True
        """
        x, y = _on_circle(generator.uniform(0, 2 * np.pi, count)).T
        return np.stack([x, x * y], axis=1)


class SwissRoll(ToySettings):
    """The Swiss roll of scikit-learn, shrunk to an outer radius of 1; 3 dimensions."""

    name = "swiss_roll"
    label = "Swiss roll"
    source = "generated"
    coordinates = 3

    def draw(self, count: int, generator: np.random.Generator) -> np.ndarray:
        r"""The Swiss roll $(t\cos t, 21 u, t\sin t)/4.5\pi$ with $t \sim U(1.5\pi, 4.5\pi)$, $u \sim U(0, 1)$.

        Source: scikit-learn's `make_swiss_roll`, divided by its outer radius.

        Example:
            >>> SwissRoll(train=9, test=5).arrays(Path(), np.random.default_rng(0))["train"].shape
            (9, 3)
        """
        turn, width = generator.random((count, 2)).T
        angle = 1.5 * np.pi * (1 + 2 * turn)
        x, z = angle * _on_circle(angle).T
        return np.stack([x, 21 * width, z], axis=1) / (4.5 * np.pi)


class Cosine(ToySettings):
    """A cosine over one and a half periods, uniform along the axis; 2 dimensions."""

    name = "cosine"
    source = "generated; Damm et al. (AISTATS 2023), toy data"

    def draw(self, count: int, generator: np.random.Generator) -> np.ndarray:
        r"""A cosine over one and a half periods, $(t, \cos t)$ with $t \sim U(0, 3\pi)$.

        Source: Damm et al. (AISTATS 2023), official code, `ToyDataset`, which then scales both axes to [0, 1].

        Example:
            >>> x, y = Cosine(train=9, test=5, noise=0.0).arrays(Path(), np.random.default_rng(0))["train"].T
            >>> bool(np.allclose(y, np.cos(x)))
            True
        """
        along = generator.uniform(0, 3 * np.pi, count)
        return np.stack([along, np.cos(along)], axis=1)


class Spiral(ToySettings):
    """A single turn of a helix whose axis lies between two axes of the data; 3 dimensions."""

    name = "spiral"
    source = "generated; Damm et al. (AISTATS 2023), toy data"
    coordinates = 3

    def draw(self, count: int, generator: np.random.Generator) -> np.ndarray:
        r"""A helix, $(x - z, y, x + z)$, $(x, y, z) = 2.5 (\sin 2\pi t, \cos 2\pi t, 1.2 t)$, $t \sim U(0, 1)$.

        Source: Damm et al. (AISTATS 2023), official code, `ToyDataset`, which then scales all axes to [0, 1].

        Example:
            >>> Spiral(train=9, test=5).arrays(Path(), np.random.default_rng(0))["train"].shape
            (9, 3)
        """
        along = generator.random(count)
        y, x = 2.5 * _on_circle(2 * np.pi * along).T
        z = 3 * along
        return np.stack([x - z, y, x + z], axis=1)


class GridOfGaussians(ToySettings):
    """Gaussians of equal weight on a square grid over [-1, 1]², of standard deviation `noise`; 2 dimensions."""

    name = "grid_of_gaussians"
    source = "generated"

    side: Annotated[int, Field(ge=2)] = 5
    """Number of Gaussians in a row, and number of rows."""

    def draw(self, count: int, generator: np.random.Generator) -> np.ndarray:
        r"""Gaussians of equal weight at the K × K points of a grid with corners $(\pm 1, \pm 1)$.

        Example:
            >>> self = GridOfGaussians(side=2, noise=0.0, train=40, test=5)
            >>> arrays = self.arrays(Path(), np.random.default_rng(0))
            >>> np.unique(arrays["train"], axis=0).tolist()
            [[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]]
        """
        ticks = np.linspace(-1, 1, self.side)
        return ticks[generator.integers(self.side, size=(count, 2))]


def _on_circle(angle: np.ndarray) -> np.ndarray:
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)
