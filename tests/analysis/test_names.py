import pytest

from entropy_sums.analysis import names


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("vae1", "VAE-1"),
        ("linearvae", "linear VAE"),
        ("pca_ring", "PCA-ring"),
        ("learning_rate", "learning rate"),
        ("training.phases.1.steps", "training phases 1 steps"),
        ("eight", "eight"),
        ("train", "training points"),
    ],
)
def test_readable(name, words):
    assert names.readable(name) == words


def test_numbers_are_short():
    assert names.in_words({"latent_dim": 2, "learning_rate": 1e-3, "batch_size": "full"}, "\n").splitlines() == [
        "latent size 2",
        "learning rate 0.001",
        "batch size full",
    ]


def test_settings_say_every_value():
    nested = {"phases": [{"schedule": "cosine"}, {"batch_size": "full"}], "evaluation": {"samples": 4}, "clip": None}
    assert names.settings(nested) == "phases (schedule cosine; batch size full), evaluation (samples 4), clip None"
