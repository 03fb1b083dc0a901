"""The bound of every minibatch: that of the forward pass which trains on it, and nothing else changes."""

from functools import partial

import numpy as np
import pytest

from entropy_sums.models import MODELS
from entropy_sums.quantities import BATCHES
from entropy_sums.training.pack import Pack
from entropy_sums.training.phase import Phase
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import TrainingSettings
from interruption import interrupted

POINTS = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
TRAIN, TEST = POINTS[:40], POINTS[40:]
PHASES = [{"steps": 10, "learning_rate": 1e-2, "batch_size": 7, "samples": 3}, {"steps": 6, "batch_size": "full"}]
PLAIN = {"every": 4, "samples": 2, "certificate": False}


def training(phases=PHASES, **evaluation):
    return TrainingSettings(phases=phases, evaluation={**PLAIN, **evaluation}, precision="float64")


def pack(model="linear_vae", seeds=(0, 1), chosen=None, **options):
    replicas = [Replica(seed, MODELS[model](), chosen or training(batches=True)) for seed in seeds]
    return Pack(replicas, TRAIN, TEST, **options)


def test_full_batches_without_noise_have_what_the_trace_has():
    """Factor analysis has no posterior samples, so that batch and evaluation see the same."""
    trace = pack("factor_analysis", chosen=training([{"steps": 20, "batch_size": "full"}], batches=True)).run()
    for name in ("elbo", "entropy_sum"):
        recorded = trace.arrays()[name][:-1].T
        np.testing.assert_allclose(trace.at_end[f"batch_{name}"][:, trace.steps[:-1]], recorded, rtol=1e-12)


def test_the_first_minibatch_by_hand():
    """At the initial parameters; later ones differ."""
    made = pack()
    x, noise = Phase(made.data, made.model, made.replicas, 0, 0).batches(0)
    bound = made.model.bound(x, noise)
    expected = {"batch_elbo": bound.elbo.tolist(), "batch_entropy_sum": bound.entropy_sum.tolist()}
    at_end = made.run().at_end
    found = {each.name: at_end[each.name] for each in BATCHES}
    assert {name: values.shape for name, values in found.items()} == dict.fromkeys(expected, (2, 16))
    for name, values in found.items():
        np.testing.assert_array_equal(values[:, 0], expected[name])
        assert np.isfinite(values).all()
        assert (values[:, 1:] != values[:, :1]).all()


def test_training_is_as_without():
    plain, asked = pack(chosen=training()).run(), pack().run()
    assert not plain.at_end.keys() & {each.name for each in BATCHES}
    for name, values in plain.arrays().items():
        np.testing.assert_array_equal(asked.arrays()[name], values, err_msg=name)


def test_alone_is_as_in_a_pack():
    together, alone = pack().run().at_end, pack(seeds=(1,)).run().at_end
    for name, values in alone.items():
        np.testing.assert_allclose(values[0], together[name][1], rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("at", [1, 4, 7, 10, 13])
def test_an_interruption_loses_none(tmp_path, at):
    resumed = interrupted(partial(pack), at, tmp_path)
    for name, values in pack().run().at_end.items():
        np.testing.assert_array_equal(resumed.trace.at_end[name], values, err_msg=name)
