"""Patches of natural images, whitened: the usual data of sparse coding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field, model_validator

from entropy_sums.data.base import MeasuredSettings, PointCount, Probability
from entropy_sums.data.preparation import add_noise
from entropy_sums.supports import Support

CUTOFF = 200 / 512
"""Cycles per pixel beyond which the filter of Olshausen and Field lets little through: 200 per 512 pixels."""

VARIANCE = 0.1
"""Variance of whitened images, as in the file IMAGES.mat of Olshausen and Field."""

LUMA = np.array([0.299, 0.587, 0.114])
"""Share of red, green and blue in the grey value (ITU-R BT.601)."""


def whiten(image: np.ndarray) -> np.ndarray:
    r"""Image filtered with $R(f) = f e^{-(f/f_0)^4}$, where $f_0$ = 0.39 cycles per pixel.

    Amplitudes of natural images fall as 1/f: R makes their spectrum flat up to the cut-off. The image is continued by
    its mirror images, so that opposite edges do not meet. Source: Olshausen and Field (Vision Research 1997).

    Example:
        >>> bool(np.allclose(whiten(np.full((4, 6), 0.7)), 0))
        True
    """
    from scipy.fft import dctn, idctn

    rows, columns = (np.arange(size) / (2 * size) for size in image.shape)
    frequency = np.hypot(rows[:, None], columns)
    passed = frequency * np.exp(-((frequency / CUTOFF) ** 4))
    return np.asarray(idctn(np.asarray(dctn(image, norm="ortho")) * passed, norm="ortho"))


def read_images(path: Path, variable: str) -> np.ndarray:
    """The grey images of a MATLAB file as an array (images, rows, columns).

    Raises FileNotFoundError, or ValueError naming the file, for a file that is damaged or of MATLAB 7.3, a variable
    that it does not have, and values that are no finite images (rows, columns, images).
    """
    from scipy.io import loadmat

    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; give the path of a .mat file with images")
    try:
        content = loadmat(path)
    except NotImplementedError as error:  # what loadmat raises for files of MATLAB 7.3, which are HDF5
        raise ValueError(f"{path}: of MATLAB 7.3; save it with -v7") from error
    except Exception as error:  # what loadmat raises for a damaged file is whatever its bytes lead to
        raise ValueError(f"{path}: cannot be read as a .mat file: {error}") from error
    names = [name for name in content if not name.startswith("__")]
    if variable not in names:
        raise ValueError(f"{path}: it holds no {variable!r}; set variable to one of: {', '.join(names) or '(none)'}")
    images = np.atleast_3d(content[variable])
    if images.ndim != 3 or images.dtype.kind not in "buif" or not np.isfinite(images).all():
        raise ValueError(
            f"{path}: {variable} of shape {images.shape} and type {images.dtype} is no array of finite images (rows, "
            "columns, images); save it as such"
        )
    return images.astype(float).transpose(2, 0, 1)


def _photographs() -> np.ndarray:
    from sklearn.datasets import load_sample_images

    return np.stack([photograph @ LUMA / 255 for photograph in load_sample_images().images])


def _parts(images: np.ndarray, settings: Patches) -> tuple[list[np.ndarray], list[np.ndarray]]:
    border = round((1 - settings.test_fraction) * images.shape[2])
    parts = images[:, :, :border], images[:, :, border:]
    for name, part in zip(("training", "held-out"), parts, strict=True):
        if min(part.shape[1:]) < settings.side:
            size = " × ".join(map(str, part.shape[1:]))
            raise ValueError(
                f"{settings.path or 'photographs'}: the {name} part of an image has {size} pixels, less than a patch "
                f"of side: {settings.side}; lower it, or move test_fraction towards 1/2"
            )
    if not settings.whiten:
        return list(parts[0]), list(parts[1])
    pairs = [(whiten(left), whiten(right)) for left, right in zip(*parts, strict=True)]
    scales = [(VARIANCE / left.var()) ** 0.5 for left, _ in pairs]
    left, right = zip(*[(s * a, s * b) for s, (a, b) in zip(scales, pairs, strict=True)], strict=True)
    return list(left), list(right)


def _cut(images: Sequence[np.ndarray], side: int, count: int, generator: np.random.Generator) -> np.ndarray:
    rows, columns = images[0].shape
    places = np.array([len(images), rows - side + 1, columns - side + 1])
    # One call for all, so that more patches keep the earlier ones
    chosen = (generator.random((count, 3)) * places).astype(int)
    return np.stack([images[k][i : i + side, j : j + side].ravel() for k, i, j in chosen])


class Patches(MeasuredSettings):
    """Patches of natural images, whitened: of the two photographs of scikit-learn, or of a user's own.

    Example:
        >>> Patches().whiten, Patches(path="IMAGES.mat").whiten
        (True, False)
    """

    name = "patches"
    source = "sklearn.datasets.load_sample_images, or the user's own file; Olshausen & Field (Vision Research 1997)"

    side: Annotated[int, Field(ge=2)] = 16
    """Number of pixels R of a row of a patch; the data have R² dimensions."""
    train: PointCount = 20_000
    """Number of training patches."""
    test: PointCount = 2000
    """Number of held-out patches, from other parts of the images."""
    test_fraction: Probability = 0.25
    """Share of every image, on its right, that held-out patches are from."""
    path: Path | None = None
    """A .mat file of grey images (rows, columns, images), such as IMAGES.mat, instead of the photographs."""
    variable: str = "IMAGES"
    """Name of the variable with the images in the file."""
    whiten: bool = True
    """Whiten the images, to a variance of 0.1; off by default for a file, as IMAGES.mat is whitened already."""

    @property
    def shape(self) -> tuple[int, int]:
        return self.train, self.side**2

    @property
    def support(self) -> Support | None:
        """Grey values of the photographs are not negative; whitened images and those with noise are real numbers."""
        if self.whiten or self.noise:
            return "real"
        return "nonnegative" if self.path is None else None

    @property
    def files(self) -> list[Path]:
        return [] if self.path is None else [self.path]

    @model_validator(mode="before")
    @classmethod
    def _files_are_whitened(cls, values: Any) -> Any:
        if isinstance(values, Mapping) and values.get("path") is not None:
            return {"whiten": False, **values}
        return values

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict[str, np.ndarray]:
        r"""Square patches at random places of grey images, whitened; held-out ones from the right part of every image.

        Both parts are whitened separately and scaled by one number, such that the left part has a variance of 0.1.
        Raises FileNotFoundError, or ValueError naming file, variable and fix, for images that cannot be read or are
        smaller than a patch.

        Source: the photographs of scikit-learn, `load_sample_images`; Olshausen and Field (Vision Research 1997) for
        the filter and for the file IMAGES.mat.

        Example:
            >>> Patches(train=10, test=5).arrays(Path(), np.random.default_rng(0))["train"].shape
            (10, 256)
        """
        images = _photographs() if self.path is None else read_images(self.path, self.variable)
        left, right = _parts(images, self)
        train, test, train_noise, test_noise = generator.spawn(4)
        return {
            "train": add_noise(_cut(left, self.side, self.train, train), self.noise, train_noise),
            "test": add_noise(_cut(right, self.side, self.test, test), self.noise, test_noise),
        }
