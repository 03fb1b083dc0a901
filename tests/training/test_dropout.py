"""Dropout in training: alone or in company, interrupted or not, the trace is the same, and it is recorded without."""

import numpy as np
import pytest
import torch

from entropy_sums.layers import Dropout
from entropy_sums.models import MODELS
from entropy_sums.training.pack import Pack
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import TrainingSettings

TRAIN, TEST = np.random.default_rng(0).normal(size=(2, 40, 4)).astype(np.float32)
PHASES = [{"steps": 12, "learning_rate": 1e-2, "batch_size": 7}, {"steps": 6, "batch_size": "full"}]
TRAINING = TrainingSettings(phases=PHASES, evaluation={"every": 6, "samples": 2})


def replica(seed, dropout=0.3):
    settings = {"encoder_width": 6, "decoder_width": 6, "encoder_depth": 1, "decoder_depth": 1}
    return Replica(seed, MODELS["vae1"](**settings, dropout=dropout), TRAINING)


def arrays(replicas, **options):
    return Pack(replicas, TRAIN, TEST, **options).run().arrays()


def test_alone_as_in_a_pack_of_several_rates():
    packed = arrays([replica(0), replica(1, 0.0), replica(2, 0.6)])
    for position, alone in enumerate([replica(0), replica(1, 0.0), replica(2, 0.6)]):
        np.testing.assert_allclose(packed["elbo"][:, position], arrays([alone])["elbo"][:, 0], rtol=2e-4, atol=2e-4)


def test_another_rate_is_another_training_from_the_same_start():
    with_dropout, without = (arrays([replica(0, rate)])["elbo"][:, 0] for rate in (0.3, 0.0))
    assert with_dropout[0] == without[0]
    assert (with_dropout[1:] != without[1:]).all()


class Interruption(Exception):
    pass


@pytest.mark.parametrize("at", [1, 6, 12])
def test_resumes_to_the_same_trace(tmp_path, at):
    def kill(pack):
        if pack.step > at:
            raise Interruption

    options = {"identity": "job", "checkpoint": tmp_path / "job.checkpoint", "checkpoint_seconds": 0}
    with pytest.raises(Interruption):
        Pack([replica(0), replica(1)], TRAIN, TEST, **options).run(kill)
    resumed, undisturbed = arrays([replica(0), replica(1)], **options), arrays([replica(0), replica(1)])
    for name, values in undisturbed.items():
        np.testing.assert_array_equal(resumed[name], values, err_msg=name)


def test_the_global_generator_is_left_alone_and_evaluation_drops_nothing():
    state = torch.get_rng_state()
    pack = Pack([replica(0)], TRAIN, TEST)
    pack.run()
    assert torch.get_rng_state().equal(state)
    assert not any(module.generators for module in pack.model.modules() if isinstance(module, Dropout))
