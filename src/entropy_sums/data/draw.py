"""Drawing of points with noise: ground truth, training points and held-out points have generators of their own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from entropy_sums.data.base import DrawnSettings, GeneratedSettings
from entropy_sums.data.preparation import add_noise

Draw = Callable[[int, np.random.Generator], np.ndarray]
"""Function that draws a number of points, shape (count, D)."""


def parts(settings: DrawnSettings, generator: np.random.Generator, draw: Draw) -> tuple[np.ndarray, np.ndarray]:
    """Training and held-out points, each from a generator of its own."""
    train, test = generator.spawn(2)
    return draw(settings.train, train), draw(settings.test, test)


def in_parts(settings: DrawnSettings, generator: np.random.Generator, draw: Draw, truth: dict) -> dict:
    """Training and held-out points with the truth."""
    train, test = parts(settings, generator, draw)
    return {"train": train, "test": test, "truth": truth}


def with_noise(
    settings: GeneratedSettings, generator: np.random.Generator, train: np.ndarray, test: np.ndarray
) -> dict[str, np.ndarray]:
    """Training and held-out points with Gaussian noise on every coordinate."""
    train_noise, test_noise = generator.spawn(2)
    return {
        "train": add_noise(train, settings.noise, train_noise),
        "test": add_noise(test, settings.noise, test_noise),
    }


def noisy(settings: GeneratedSettings, generator: np.random.Generator, draw: Draw) -> dict[str, np.ndarray]:
    """Drawn training and held-out points, with Gaussian noise on every coordinate."""
    return with_noise(settings, generator, *parts(settings, generator, draw))
