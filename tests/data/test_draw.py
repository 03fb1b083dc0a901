"""Drawing: generators of points, noise and truth are apart, whatever the dataset."""

import numpy as np
import pytest
from scipy.stats import kstest

from datasets import draw
from entropy_sums.data.base import DrawnSettings, GeneratedSettings
from entropy_sums.data.catalogue import DATASETS

GENERATED = [name for name, kind in DATASETS.items() if issubclass(kind, GeneratedSettings)]


@pytest.mark.parametrize("name", GENERATED)
def test_noise_is_added_to_the_same_noise_free_points(name):
    clean, noisy = draw(name, noise=0.0, train=2000), draw(name, noise=0.2, train=2000)
    for part in ("train", "test"):
        assert kstest((noisy[part] - clean[part]).ravel(), "norm", (0, 0.2)).pvalue > 1e-4


@pytest.mark.parametrize("name", GENERATED)
def test_seed_decides(name):
    first, again, other = draw(name, 0), draw(name, 0), draw(name, 1)
    for part in ("train", "test"):
        np.testing.assert_array_equal(first[part], again[part])
        assert not np.isin(first[part], other[part]).any()
    assert not np.isin(first["train"], first["test"]).any()


@pytest.mark.parametrize("name", sorted(set(GENERATED) - {"manifold"}))
def test_more_training_points_keep_the_earlier_ones_and_the_held_out_ones(name):
    few, many = draw(name, train=10), draw(name, train=25)
    np.testing.assert_array_equal(many["test"], few["test"])
    np.testing.assert_array_equal(many["train"][:10], few["train"])


@pytest.mark.parametrize(
    "name",
    [n for n, kind in DATASETS.items() if issubclass(kind, DrawnSettings) and not issubclass(kind, GeneratedSettings)],
)
def test_more_points_keep_the_truth_and_the_held_out_points(name):
    few, many = (draw(name, train=count, test=20) for count in (10, 30))
    np.testing.assert_array_equal(few["test"], many["test"])
    for key, value in few["truth"].items():
        np.testing.assert_array_equal(value, many["truth"][key])
