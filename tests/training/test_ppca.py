"""Probabilistic PCA in closed form, and scikit-learn's, as the oracle of the linear VAE."""

import math

import numpy as np
import pytest
from sklearn.decomposition import PCA

from entropy_sums.data import load
from entropy_sums.data.catalogue import DATASETS
from entropy_sums.models import MODELS
from entropy_sums.training.pack import Pack
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import TrainingSettings

DIM, LATENTS = 5, 2


@pytest.fixture(scope="module")
def points(tmp_path_factory):
    settings = DATASETS["pca"](dim=DIM, train=300, test=50, noise=0.5, data_seed=1)
    return load(settings, tmp_path_factory.mktemp("data"))


def closed_form(x: np.ndarray) -> float:
    """Maximum log-likelihood (Tipping and Bishop 1999): −½(D log 2πe + Σ_{h≤H} log λ_h + (D−H) log σ²)."""
    eigenvalues = np.linalg.eigvalsh(np.cov(x, rowvar=False, bias=True))[::-1]
    kept, discarded = eigenvalues[:LATENTS], eigenvalues[LATENTS:]
    logs = np.log(kept).sum() + (DIM - LATENTS) * math.log(discarded.mean())
    return -0.5 * (DIM * math.log(2 * math.pi * math.e) + logs)


def test_closed_form_against_scikit_learn(points):
    x = points.train.astype(np.float64)
    pca = PCA(LATENTS).fit(x)
    # scikit-learn divides the covariance by N − 1, so its likelihood is a hair below the maximum.
    assert pca.score(x) == pytest.approx(closed_form(x), abs=1e-4)
    assert pca.score(x) < closed_form(x)


def test_linear_vae_reaches_the_likelihood_of_probabilistic_pca(points):
    """Likelihood, ELBO and entropy sum all end at the same value, the maximum likelihood.

    Likelihood and ELBO are off by the square of the last gradient, the entropy sum by the gradient itself.
    """
    phases = [
        {"steps": 3000, "learning_rate": 3e-2, "schedule": "cosine", "batch_size": "full"},
        {"steps": 2000, "learning_rate": 3e-3, "schedule": "linear", "batch_size": "full", "samples": 8},
    ]
    training = TrainingSettings(phases=phases, evaluation={"every": 2500, "samples": 64}, precision="float64")
    replicas = [Replica(seed, MODELS["linear_vae"](latent_dim=LATENTS), training) for seed in range(3)]
    recorded = Pack(replicas, points.train, points.test).run().arrays()
    optimum = closed_form(points.train.astype(np.float64))
    likelihood = recorded["log_likelihood"][-1]
    assert (likelihood <= optimum + 1e-9).all()
    np.testing.assert_allclose(likelihood, optimum, atol=1e-3)
    for name, tolerance in {"elbo": 1e-3, "entropy_sum": 1e-2}.items():
        error = np.abs(recorded[name][-1] - optimum)
        assert (error < tolerance + 5 * recorded[f"{name}_standard_error"][-1]).all(), name
        assert (recorded[f"{name}_standard_error"][-1] < 1e-2).all()
