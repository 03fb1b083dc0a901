"""A weight of the prior in training: what it does to the first step and to the end."""

import numpy as np
import pytest
import torch

from entropy_sums.models import MODELS, build
from entropy_sums.training.pack import Pack
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import TrainingSettings

POINTS = np.random.default_rng(0).normal(size=(40, 3))
SMALL = {"encoder_width": 4, "encoder_depth": 1}
VAE = SMALL | {"decoder_width": 4, "decoder_depth": 1}


def pack(model, weights, settings, precision="float64", **phase):
    phase = {"steps": 1, "batch_size": "full", "optimizer": "sgd", "learning_rate": 1e-3} | phase
    trainings = [
        TrainingSettings(phases=[phase | {"prior_weight": w}], evaluation={"samples": 2}, precision=precision)
        for w in weights
    ]
    return Pack([Replica(0, MODELS[model](**settings), t) for t in trainings], POINTS, POINTS[::2] + 1)


@pytest.mark.parametrize(
    ("model", "settings"),
    [("vae1", VAE), ("vae2", VAE), ("bernoulli_vae", VAE), ("sparse_coding", SMALL), ("linear_vae", {"beta": 2.0})],
)
@pytest.mark.usefixtures("float64")
def test_one_plain_step_goes_along_the_weighted_sum(model, settings):
    """Gradient by hand: H[q] − w CE of the prior − CE of the observation, each replica with a weight of its own."""
    points = (POINTS > 0).astype(float) if MODELS[model].support == "binary" else POINTS
    source = [torch.Generator().manual_seed(r) for r in range(2)]
    built = build([MODELS[model](**settings)] * 2, 3, source)
    x, noise = torch.as_tensor(points), torch.randn(2, 40, built.noise_dim, generator=source[0])
    weights = torch.tensor([5.0, 0.5])
    bound = built.bound(x, noise)
    by_hand = (
        bound.posterior_entropy
        - weights * bound.factors["prior"].cross_entropy
        - bound.factors["observation"].cross_entropy
    )
    torch.testing.assert_close(built.landscape(x, noise, weights)(), by_hand)
    torch.testing.assert_close(built.landscape(x, noise)(), bound.elbo)


@pytest.mark.parametrize(("model", "settings"), [("vae1", VAE), ("sparse_coding", SMALL | {"posterior": "diagonal"})])
def test_replicas_of_a_pack_have_their_own_weights_and_record_the_elbo(model, settings):
    """One weight is that of no annealing, and a record of the start does not know of it."""
    trace = pack(model, [1.0, 8.0], settings, steps=3).run().arrays()
    plain = pack(model, [1.0], settings, steps=3).run().arrays()
    np.testing.assert_allclose(trace["elbo"][:, 0], plain["elbo"][:, 0], rtol=1e-12)
    np.testing.assert_allclose(trace["elbo"][0, 0], trace["elbo"][0, 1], rtol=1e-12)
    assert (trace["elbo"][-1, 1] - trace["elbo"][-1, 0]) != 0
    assert np.isfinite(trace["stationary_gap"][-1, 0]).all()
    assert np.isnan(trace["stationary_gap"][-1, 1]).all(), "its stationary points are others"


@pytest.mark.parametrize("objective", ["elbo", "entropy"])
@pytest.mark.parametrize("posterior", ["full", "diagonal", "amortised"])
def test_single_precision_goes_the_same_way(posterior, objective):
    settings = SMALL | {"posterior": posterior, "objective": objective}
    single, double = (pack("sparse_coding", [1.0, 3.0], settings, p).run().arrays() for p in ("float32", "float64"))
    np.testing.assert_allclose(single["elbo"][-1], double["elbo"][-1], rtol=1e-4)
    assert double["elbo"][-1, 0] != double["elbo"][-1, 1]


def test_a_heavy_prior_draws_the_scales_of_its_latents_to_it():
    """Climbed to the end, the cross-entropy of the prior is the less the more it weighs."""
    settings = {"posterior": "full"}
    climb = {"optimizer": "lbfgs", "steps": 3, "iterations": 40}
    model = pack("sparse_coding", [1.0, 3.0], settings, **climb)
    model.run()
    bound = model.model.bound(model.data, model.data.new_empty(2, len(model.data), 0))
    light, heavy = bound.factors["prior"].cross_entropy.tolist()
    assert heavy < light - 0.1
    assert bound.elbo[1] < bound.elbo[0]
