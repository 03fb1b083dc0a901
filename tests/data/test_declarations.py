"""Settings of datasets declare what the points are: small versions of every dataset are loaded and asked."""

from pathlib import Path

import numpy as np
import pytest

from entropy_sums.data import load
from entropy_sums.data.base import ImageSettings
from entropy_sums.data.catalogue import DATASETS
from entropy_sums.data.checks import SUPPORTS, supports
from entropy_sums.data.preparation import prepare_images
from entropy_sums.supports import CONTAINED, WORDS

SIZES = {"train": 60, "test": 30, "segment": 40, "side": 4}
NOISY = {"noise": 0.5}
LEVELS = [{"binarise": "threshold"}, {"binarise": "sample"}, {"dequantise": True}, {"dequantise": False}]
OTHERS = [NOISY, *LEVELS, {"dequantise": True} | NOISY, {"whiten": False}, {"whiten": False} | NOISY]
FILES = {
    "array": lambda folder: {"path": _saved(folder / "x.npy", np.random.default_rng(0).normal(size=(90, 3)))},
    "mnist": None,
    "fashion_mnist": None,
    "celeba": None,
    "susy": None,
}
"""Datasets that need files → settings that name one; None where other tests read files like theirs."""


def _saved(path, values):
    np.save(path, values)
    return path


def made(name, **settings):
    kind = DATASETS[name]
    chosen = SIZES | settings | ({"allow_constant": True} if "allow_constant" in kind.model_fields else {})
    return kind(**{setting: value for setting, value in chosen.items() if setting in kind.model_fields})


def accepted(name):
    """The default settings, and others that this dataset has and that go together."""
    for other in ({}, *OTHERS):
        if other.keys() <= DATASETS[name].model_fields.keys():
            try:
                yield made(name, **other)
            except ValueError:
                continue


CASES = [s for name in DATASETS if name not in FILES for s in accepted(name)]


@pytest.mark.parametrize("settings", CASES, ids=lambda s: f"{s.name} {s.model_dump_json(exclude_defaults=True)}")
def test_points_are_what_their_settings_declare(settings):
    dataset = load(settings, Path("data"))
    found = supports(dataset.train) & supports(dataset.test)
    assert found == CONTAINED[settings.support]
    assert dataset.train.shape == settings.shape
    assert len(dataset.test) == settings.held_out
    weights = dataset.truth.get("weights")
    assert (None if weights is None else weights.shape) == settings.true_weights


@pytest.mark.parametrize("name", [name for name, kind in DATASETS.items() if issubclass(kind, ImageSettings)])
def test_images_are_what_their_settings_declare(name):
    """Without the files: all are made from levels of grey in one way."""
    grey = np.random.default_rng(0).integers(256, size=(20, 30))
    for settings in accepted(name):
        images = prepare_images(grey, 255, settings, np.random.default_rng(1))
        assert supports(images) == CONTAINED[settings.support]
        assert settings.true_weights is None


def test_files_of_the_user_tell_themselves_what_they_are(tmp_path):
    settings = DATASETS["array"](**FILES["array"](tmp_path))
    assert (settings.support, settings.shape, settings.held_out, settings.true_weights) == (None, None, None, None)
    assert settings.model_copy(update={"noise": 0.1}).support == "real"
    assert load(settings, tmp_path).test.shape == (18, 3)
    patches = DATASETS["patches"](path="IMAGES.mat")
    assert patches.support is None
    assert patches.model_copy(update={"whiten": True}).support == "real"


def test_every_dataset_is_asked():
    told = {settings.name for settings in CASES} | FILES.keys()
    assert told == DATASETS.keys()
    assert DATASETS["susy"]().support == "real"


@pytest.mark.parametrize("settings", [s for s in CASES if s.remedies] + [made("celeba"), made("mnist", noise=0.1)])
def test_remedies_remedy(settings):
    for support, remedy in settings.remedies.items():
        other = type(settings)(**settings.model_dump() | remedy)
        assert support in CONTAINED[other.support]


def test_supports_contain_each_other_as_they_say():
    """Numbers of each support lie in all those that contain it, and some of them in no other."""
    numbers = {
        "real": [-0.5, 1.0],
        "binary": [0.0, 1.0],
        "counts": [0.0, 7.0],
        "nonnegative": [0.0, 0.5],
        "positive": [0.5, 2.0],
    }
    assert numbers.keys() == CONTAINED.keys() == WORDS.keys() == SUPPORTS.keys()
    for support, values in numbers.items():
        assert supports(np.array([values])) == CONTAINED[support]
