"""float32 and float64 are paired: from one seed both see the same start, the same order and the same noise."""

import numpy as np
import pytest
import torch

from catalogue import accepted, dim_of, supported
from entropy_sums.models import MODELS
from entropy_sums.training.pack import Pack
from entropy_sums.training.phase import Phase
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import TrainingSettings

SMALL = {"encoder_width": 5, "decoder_width": 5, "width": 3, "latent_dim": 2, "chains": 4, "dropout": 0.2}
EVALUATION = {"every": 2, "samples": 3, "certificate": False, "subset_sizes": [6], "subset_estimates": 2}
AT_END = {"importance_samples": 5, "annealing_temperatures": 4}


def pack(name, precision, seeds=(0, 5), **phase):
    # Values that single precision holds, so that both are trained on the same points
    drawn = np.random.default_rng(0).normal(size=(2, 40, dim_of(name, 5))).astype(np.float32)
    phases = [{"steps": 3, "batch_size": 9, "learning_rate": 1e-3, "samples": 2, **phase}]
    training = TrainingSettings(phases=phases, evaluation={**EVALUATION, **AT_END}, precision=precision)
    settings = MODELS[name](**accepted(name, **SMALL))
    return Pack([Replica(seed, settings, training) for seed in seeds], *map(lambda x: supported(name, x), drawn))


@pytest.mark.parametrize("name", sorted(MODELS))
def test_both_precisions_begin_alike_and_see_the_same_noise(name):
    single, double = (pack(name, precision) for precision in ("float32", "float64"))
    for (key, one), other in zip(single.model.state_dict().items(), double.model.state_dict().values(), strict=True):
        # Starts that are computed from the data are rounded
        tolerance = 3e-6 if name == "poisson_vae" or name.endswith("_mixture") else 0
        np.testing.assert_allclose(one.double(), other.double(), rtol=tolerance, atol=tolerance, err_msg=key)
    phases = [Phase(p.data, p.model, p.replicas, 0, 0) for p in (single, double)]
    for step in (0, 3, 70):
        for one, other in zip(*(phase.batches(step) for phase in phases), strict=True):
            assert (one.dtype, other.dtype) == (torch.float32, torch.float64)
            assert one.double().equal(other)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_both_precisions_record_the_same_numbers_to_the_digits_of_single_precision(name):
    traces = [pack(name, precision).run() for precision in ("float32", "float64")]
    single, double = (trace.arrays() | trace.at_end for trace in traces)
    assert single.keys() == double.keys()
    for quantity, values in single.items():
        np.testing.assert_allclose(values, double[quantity], rtol=1e-4, atol=3e-5, err_msg=quantity)
