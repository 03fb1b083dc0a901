"""Toy data in two and three dimensions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field, PositiveInt

from entropy_sums.data.base import GeneratedSettings
from entropy_sums.data.draw import noisy


class RingOfGaussians(GeneratedSettings):
    """Gaussians of equal weight on the unit circle, of standard deviation `noise`; 2 dimensions."""

    name = "ring_of_gaussians"
    label = "ring of Gaussians"
    source = "generated"

    components: PositiveInt = 8
    """Number of Gaussians."""

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict:
        r"""Gaussians of equal weight at $(\cos, \sin)(2\pi k/K)$, k = 0 … K − 1.

        Example:
            >>> RingOfGaussians(train=9, test=5).arrays(Path(), np.random.default_rng(0))["train"].shape
            (9, 2)
        """
        components = self.components
        return noisy(
            self,
            generator,
            lambda count, part: _on_circle(2 * np.pi * part.integers(components, size=count) / components),
        )


class Circle(GeneratedSettings):
    """The unit circle, uniform in the angle; 2 dimensions."""

    name = "circle"
    source = "generated"

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict:
        r"""The unit circle, $(\cos t, \sin t)$ with $t \sim U(0, 2\pi)$.

        Example:
            >>> arrays = Circle(train=9, test=5, noise=0.0).arrays(Path(), np.random.default_rng(0))
            >>> bool(np.allclose(np.linalg.norm(arrays["train"], axis=1), 1))
            True
        """
        return noisy(self, generator, lambda count, part: _on_circle(part.uniform(0, 2 * np.pi, count)))


class Eight(GeneratedSettings):
    """A lying eight, the lemniscate of Gerono, uniform in the angle; 2 dimensions."""

    name = "eight"
    source = "generated"

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict:
        r"""The lemniscate of Gerono, $(\cos t, \sin t \cos t)$ with $t \sim U(0, 2\pi)$: $y^2 = x^2 - x^4$.

        Example:
            >>> x, y = Eight(train=9, test=5, noise=0.0).arrays(Path(), np.random.default_rng(0))["train"].T
            >>> bool(np.allclose(y**2, x**2 - x**4))
            True
        """

        def shape(count: int, part: np.random.Generator) -> np.ndarray:
            x, y = _on_circle(part.uniform(0, 2 * np.pi, count)).T
            return np.stack([x, x * y], axis=1)

        return noisy(self, generator, shape)


class SwissRoll(GeneratedSettings):
    """The Swiss roll of scikit-learn, shrunk to an outer radius of 1; 3 dimensions."""

    name = "swiss_roll"
    label = "Swiss roll"
    source = "generated"
    coordinates = 3

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict:
        r"""The Swiss roll $(t\cos t, 21 u, t\sin t)/4.5\pi$ with $t \sim U(1.5\pi, 4.5\pi)$, $u \sim U(0, 1)$.

        Source: scikit-learn's `make_swiss_roll`, divided by its outer radius.

        Example:
            >>> SwissRoll(train=9, test=5).arrays(Path(), np.random.default_rng(0))["train"].shape
            (9, 3)
        """

        def shape(count: int, part: np.random.Generator) -> np.ndarray:
            turn, width = part.random((count, 2)).T
            angle = 1.5 * np.pi * (1 + 2 * turn)
            x, z = angle * _on_circle(angle).T
            return np.stack([x, 21 * width, z], axis=1) / (4.5 * np.pi)

        return noisy(self, generator, shape)


class Cosine(GeneratedSettings):
    """A cosine over one and a half periods, uniform along the axis; 2 dimensions."""

    name = "cosine"
    source = "generated; Damm et al. (AISTATS 2023), toy data"

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict:
        r"""A cosine over one and a half periods, $(t, \cos t)$ with $t \sim U(0, 3\pi)$.

        Source: Damm et al. (AISTATS 2023), official code, `ToyDataset`, which then scales both axes to [0, 1].

        Example:
            >>> x, y = Cosine(train=9, test=5, noise=0.0).arrays(Path(), np.random.default_rng(0))["train"].T
            >>> bool(np.allclose(y, np.cos(x)))
            True
        """

        def shape(count: int, part: np.random.Generator) -> np.ndarray:
            along = part.uniform(0, 3 * np.pi, count)
            return np.stack([along, np.cos(along)], axis=1)

        return noisy(self, generator, shape)


class Spiral(GeneratedSettings):
    """A single turn of a helix whose axis lies between two axes of the data; 3 dimensions."""

    name = "spiral"
    source = "generated; Damm et al. (AISTATS 2023), toy data"
    coordinates = 3

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict:
        r"""A helix, $(x - z, y, x + z)$, $(x, y, z) = 2.5 (\sin 2\pi t, \cos 2\pi t, 1.2 t)$, $t \sim U(0, 1)$.

        Source: Damm et al. (AISTATS 2023), official code, `ToyDataset`, which then scales all axes to [0, 1].

        Example:
            >>> Spiral(train=9, test=5).arrays(Path(), np.random.default_rng(0))["train"].shape
            (9, 3)
        """

        def shape(count: int, part: np.random.Generator) -> np.ndarray:
            along = part.random(count)
            y, x = 2.5 * _on_circle(2 * np.pi * along).T
            z = 3 * along
            return np.stack([x - z, y, x + z], axis=1)

        return noisy(self, generator, shape)


class GridOfGaussians(GeneratedSettings):
    """Gaussians of equal weight on a square grid over [-1, 1]², of standard deviation `noise`; 2 dimensions."""

    name = "grid_of_gaussians"
    source = "generated"

    side: Annotated[int, Field(ge=2)] = 5
    """Number of Gaussians in a row, and number of rows."""

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict:
        r"""Gaussians of equal weight at the K × K points of a grid with corners $(\pm 1, \pm 1)$.

        Example:
            >>> self = GridOfGaussians(side=2, noise=0.0, train=40, test=5)
            >>> arrays = self.arrays(Path(), np.random.default_rng(0))
            >>> np.unique(arrays["train"], axis=0).tolist()
            [[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]]
        """
        ticks = np.linspace(-1, 1, self.side)
        return noisy(self, generator, lambda count, part: ticks[part.integers(self.side, size=(count, 2))])


def _on_circle(angle: np.ndarray) -> np.ndarray:
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)
