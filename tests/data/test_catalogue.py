"""Settings of datasets: strict, documented, light, with defaults that fit together."""

import subprocess
import sys

import pytest
from pydantic import ValidationError

from entropy_sums.data.array_file import Array
from entropy_sums.data.catalogue import DATASETS
from entropy_sums.data.linear import PCA, Manifold, Stream
from entropy_sums.data.shipped import Digits, MNIST5k

REQUIRED = {"array": {"path": "x.npy"}}
EVERY = [pytest.param(cls(**REQUIRED.get(name, {})), id=name) for name, cls in DATASETS.items()]


def test_names_of_all_datasets():
    assert set(DATASETS) == {
        *("pca", "pca_ring", "manifold", "ring_of_gaussians", "circle", "eight", "swiss_roll", "counts"),
        *("cosine", "spiral", "grid_of_gaussians", "stream"),
        *("bars", "sparse_bars", "belief_network", "boltzmann_machine", "sparse_sources", "mixture_of_gammas"),
        *("deep_boltzmann_machine", "deep_belief_network", "gaussian_boltzmann_machine"),
        *("mixture_of_gaussians", "mixture_of_bernoullis", "mixture_of_poissons"),
        *("digits", "mnist5k", "mnist", "fashion_mnist", "celeba", "susy", "array", "patches"),
    }


@pytest.mark.parametrize("settings", EVERY)
def test_every_dataset_has_arrays_a_source_and_documented_fields(settings):
    assert callable(settings.arrays)
    assert settings.source
    assert type(settings).descriptions().keys() == type(settings).model_fields.keys()


@pytest.mark.parametrize("settings", EVERY)
def test_settings_survive_json(settings):
    assert type(settings).model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.parametrize("settings", EVERY)
def test_unknown_key_is_an_error(settings):
    with pytest.raises(ValidationError, match=r"nois\n.*Extra inputs"):
        type(settings).model_validate({**settings.model_dump(), "nois": 0.1})


def test_loading_does_not_import_torch():
    code = (
        "import sys; from entropy_sums.data import load; from entropy_sums.data.linear import PCA;"
        "load(PCA(), '.'); print('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "False\n"


@pytest.mark.parametrize("binarise", ["threshold", "sample"])
def test_binary_images_are_not_dequantised_unless_asked_which_is_an_error(binarise):
    assert Digits().dequantise
    assert not Digits(binarise=binarise).dequantise
    for clash in ({"dequantise": True}, {"noise": 0.1}):
        with pytest.raises(ValidationError, match=f"binarise: {binarise} makes binary images"):
            Digits(binarise=binarise, **clash)


@pytest.mark.parametrize(
    ("cls", "values", "message"),
    [
        (PCA, {"train": 1}, "greater than or equal to 2"),
        (PCA, {"noise": -0.1}, "greater than or equal to 0"),
        (PCA, {"noise": float("inf")}, "finite"),
        (PCA, {"true_latent_dim": 11}, "true_latent_dim: 11 is more than dim: 10"),
        (Manifold, {"dim": 9}, "true_latent_dim: 10 is more than dim: 9"),
        (Stream, {"segments": 4}, "1, 2 or 3"),
        (Digits, {"train": 1438}, "train: 1438 and test: 360 together exceed the 1797 images"),
        (MNIST5k, {"test": 1001}, "exceed the 5000 images"),
        (DATASETS["mnist"], {"train": 60_001}, "less than or equal to 60000"),
        (DATASETS["fashion_mnist"], {"test": 10_001}, "less than or equal to 10000"),
        (Digits, {"binarise": "dynamic"}, "'none', 'threshold' or 'sample'"),
        (Array, {}, "path\n.*Field required"),
        (Array, {"path": "x.npy", "test_fraction": None}, "set one of the two"),
        (Array, {"path": "x.npy", "test_path": "y.npy", "test_fraction": 0.1}, "set one of the two"),
        (Array, {"path": "x.npy", "test_fraction": 1.0}, "less than 1"),
    ],
)
def test_impossible_values_are_errors(cls, values, message):
    with pytest.raises(ValidationError, match=message) as caught:
        cls(**values)
    assert caught.value.error_count() == 1


def test_array_holds_out_a_fraction_or_a_file():
    assert Array(path="x.npy").test_fraction == 0.2
    assert Array(path="x.npy", test_path="y.npy").test_fraction is None
