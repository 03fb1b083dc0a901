"""Which recorders there are, in which order, and which of them a pack has."""

import numpy as np
import pytest

from entropy_sums.models import MODELS
from entropy_sums.training.pack import Pack
from entropy_sums.training.recorders.bounds import HeldoutBound, TrainingBound
from entropy_sums.training.recorders.catalogue import RECORDERS
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import TrainingSettings

POINTS = (np.random.default_rng(0).random((20, 4)) < 0.5).astype(float)
ALWAYS = {"TrainingBound", "HeldoutBound"}
ALL = {"importance_samples": 3, "annealing_temperatures": 3, "subset_sizes": [5], "batches": True}
AT_END = {"importance_samples": 3, "annealing_temperatures": 3}


def recorders(model, evaluation):
    training = TrainingSettings(
        phases=[{"steps": 2, "batch_size": 10}], evaluation={"certificate": False, **evaluation}
    )
    pack = Pack([Replica(0, MODELS[model](), training)], POINTS, POINTS)
    return {type(recorder).__name__ for recorder in pack.recorders}


def test_the_bound_on_the_training_data_asks_the_model_first():
    assert RECORDERS[:2] == [TrainingBound, HeldoutBound]
    assert len({recorder.__name__ for recorder in RECORDERS}) == len(RECORDERS) == 9


@pytest.mark.parametrize(
    ("model", "evaluation", "expected"),
    [
        ("linear_vae", {}, {"Latents"}),
        ("linear_vae", ALL, {"Latents", "ImportanceWeighted", "Subsets", "Minibatches"}),
        ("sparse_coding", {}, {"Latents", "Dictionary"}),
        ("sbn", AT_END, {"ImportanceWeighted"}),
        ("rbm", AT_END, {"Annealing"}),
        ("dbm", AT_END, {"ImportanceWeighted", "Annealing"}),
        ("bernoulli_mixture", AT_END, {"Components"}),
    ],
)
def test_they_say_whether_they_apply(model, evaluation, expected):
    assert recorders(model, evaluation) == ALWAYS | expected
