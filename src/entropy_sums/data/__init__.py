"""Datasets by name, checked and checksummed: `load(settings, data_dir)` gives training and held-out points."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from entropy_sums.data.base import DatasetSettings
    from entropy_sums.data.dataset import Dataset


def load(settings: DatasetSettings, data_dir: Path) -> Dataset:
    """The dataset that the settings describe: the same settings give the same bytes.

    Training and held-out points have shapes (N, D) and (M, D), and are float32 if that holds every value exactly, else
    float64. `data_dir` holds the files of MNIST and Fashion-MNIST.

    Raises:
        FileNotFoundError: a file is missing; names the place and the fix.
        ValueError: values are missing, NaN, infinite, complex or not numbers, arrays are empty or have a wrong shape,
            training dimensions never vary, or a point is in both sets; names the place and the fix.

    Example:
        >>> from entropy_sums.data.linear import PCA
        >>> dataset = load(PCA(train=100, test=50), Path("data"))
        >>> dataset.train.shape, dataset.test.shape, sorted(dataset.truth)
        ((100, 10), (50, 10), ['noise', 'offset', 'weights'])
    """
    import numpy as np

    from entropy_sums.data.base import MeasuredSettings
    from entropy_sums.data.checks import check_disjoint, check_varying
    from entropy_sums.data.dataset import Dataset

    arrays = settings.arrays(Path(data_dir), np.random.default_rng(settings.data_seed))
    attributes = {"source": settings.source, "settings": settings.model_dump_json()}
    dataset = Dataset(name=settings.name, attributes=attributes, **arrays)
    where = f"{settings.name} {settings.model_dump_json(exclude_defaults=True)}"
    if not (isinstance(settings, MeasuredSettings) and settings.allow_constant):
        check_varying(dataset.train, where)
    check_disjoint(dataset.train, dataset.test, where)
    return dataset


def data_file(settings: DatasetSettings, data_dir: Path, path: Path) -> Path:
    """Path of a data file, which is made if it is missing or older than the files that it is made from."""
    from entropy_sums.files import newer

    if not newer(path, settings.files):
        load(settings, data_dir).write(path)
    return path
