"""While layers are pretrained one by one the ELBO is not ascended: what a trace says of that."""

import numpy as np
import pytest

from entropy_sums.models import MODELS
from entropy_sums.training.pack import Pack
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import TrainingSettings

POINTS = (np.random.default_rng(0).random((40, 4)) < 0.4).astype(float)


def pack(model, phases, **settings):
    training = TrainingSettings(phases=phases, evaluation={"every": 4, "samples": 2}, precision="float64")
    return Pack([Replica(0, MODELS[model](latent_dim=3, **settings), training)], POINTS[:30], POINTS[30:])


@pytest.mark.parametrize(("model", "settings"), [("dbm", {}), ("dbn", {"gradient": "exact"})])
def test_nothing_is_predicted_until_it_is_over(model, settings):
    """Two layers of latents, three steps each: from step 6 on."""
    trained = pack(model, [{"steps": 12, "batch_size": 10}], depth=2, pretraining_steps=3, **settings).run()
    predicted = trained.arrays()["stationary_gap"][:, 0]
    for step, values in zip(trained.steps, predicted, strict=True):
        assert np.isnan(values).all() if step < 6 else (values == 0).all(), step
