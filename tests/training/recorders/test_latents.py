"""Moments of the latents by hand, and where there are none."""

import numpy as np
import pytest
import torch

from entropy_sums.certificates.certificate import randomised
from entropy_sums.models import MODELS, build
from entropy_sums.training import evaluation as module
from entropy_sums.training.evaluation import Evaluation
from entropy_sums.training.pack import Pack
from entropy_sums.training.randomness import Purpose
from entropy_sums.training.recorders.latents import Latents
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import TrainingSettings
from recorded import at_end

DIM, POINTS = 4, 30
DATA = torch.randn(POINTS, DIM, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def made(name, replicas=2, **settings):
    source = torch.Generator().manual_seed(0)
    return randomised(build([MODELS[name](**settings)] * replicas, DIM, [source] * replicas), source, width=0.5)


def latents(model, data):
    return at_end([Latents], model, {"": Evaluation(data, [0, 1], 2, Purpose.EVALUATION)})


@pytest.mark.parametrize("name", ["linear_vae", "vae1", "factor_analysis", "sparse_coding"])
def test_moments_of_the_latents_by_hand(float64, monkeypatch, name):
    model = made(name)
    monkeypatch.setattr(module, "ENTRIES_PER_CHUNK", 7 * 2 * DIM)
    found = latents(model, DATA)
    q = model.posterior(DATA)
    mean, variance = (value.detach().expand(2, POINTS, -1).numpy() for value in (q.mean, q.variance))
    np.testing.assert_allclose(found["latent_square"], (mean**2).mean(1), rtol=1e-10)
    np.testing.assert_allclose(found["latent_variance"], variance.mean(1), rtol=1e-10)
    np.testing.assert_allclose(found["latent_spread"], mean.var(1), rtol=1e-10)


def test_they_add_up_to_one_at_the_optimum():
    """Of probabilistic PCA by EM: the aggregate posterior then has the moments of the prior."""
    points = (DATA @ torch.diag(torch.tensor([3.0, 2.0, 0.2, 0.2]).double())).numpy()
    phases = [{"optimizer": "em", "batch_size": "full", "steps": 400}]
    training = TrainingSettings(phases=phases, evaluation={"every": 400, "certificate": False}, precision="float64")
    ends = Pack([Replica(0, MODELS["factor_analysis"](), training)], points, points).run().at_end
    np.testing.assert_allclose(ends["latent_square"] + ends["latent_variance"], 1, atol=1e-4)


def test_binary_latents_have_none(float64):
    assert latents(made("sbn"), (DATA > 0).double()) == {}
