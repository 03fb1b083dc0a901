"""Packed training: alone or in company, interrupted or not, the trace is the same."""

from functools import partial

import numpy as np
import pytest
import torch

from entropy_sums.models import MODELS
from entropy_sums.training.pack import Interrupted, Pack
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import TrainingSettings
from interruption import interrupted, same_end

POINTS = np.random.default_rng(0).normal(size=(90, 4)).astype(np.float32)
TRAIN, TEST = POINTS[:60], POINTS[60:]
PHASES = [
    {"steps": 30, "learning_rate": 1e-2, "schedule": "cosine", "batch_size": 7, "samples": 2},
    {"steps": 10, "learning_rate": 1e-3, "schedule": "linear", "batch_size": "full"},
]
TRAINING = TrainingSettings(phases=PHASES, evaluation={"every": 8, "samples": 2})
SMALL = {"encoder_width": 5, "decoder_width": 5, "encoder_depth": 1, "decoder_depth": 1, "width": 3, "depth": 1}


def replica(seed, training=TRAINING, model="vae1", **settings):
    chosen = {k: v for k, v in {**SMALL, **settings}.items() if k in MODELS[model].model_fields}
    return Replica(seed, MODELS[model](**chosen), training)


def with_rate(rate):
    phases = [TRAINING.phases[0].model_copy(update={"learning_rate": rate}), *TRAINING.phases[1:]]
    return TRAINING.model_copy(update={"phases": tuple(phases)})


def arrays(replicas, **options):
    return Pack(replicas, TRAIN, TEST, **options).run().arrays()


def equal(a, b):
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


@pytest.mark.parametrize("model", ["linear_vae", "vae2", "vae3", "conv_vae"])
@pytest.mark.parametrize("size", [1, 7, 32])
def test_alone_is_as_in_a_pack(size, model):
    rates = [1e-2, 3e-3, 3e-3]
    pack = [replica(100 + r, with_rate(rates[r % 3]), model) for r in range(size)]
    packed = arrays(pack)
    for position in {0, size // 2, size - 1}:
        alone = arrays(pack[position : position + 1])
        for name in ("elbo", "gap", "heldout_elbo", "latent_entropy", "entropy"):
            np.testing.assert_allclose(packed[name][:, position], alone[name][:, 0], rtol=2e-4, atol=2e-4, err_msg=name)


@pytest.mark.parametrize("model", ["linear_vae", "sparse_coding"])
def test_points_in_the_order_given_are_learned_in_that_order(model):
    """400 steps do not come to the second half of the points, which lies far from the first."""
    phases = [{"steps": 400, "learning_rate": 0.05, "batch_size": 30, "order": "given"}]
    training = TrainingSettings(phases=phases, evaluation={"every": 400, "samples": 2})
    first, last = POINTS[:30] + 5, POINTS[30:60] - 5
    replicas = [replica(seed, training, model, latent_dim=1) for seed in (0, 1)]
    train = np.concatenate([first] * 400 + [last] * 400)
    ends = {name: Pack(replicas, train, test).run().arrays() for name, test in {"first": first, "last": last}.items()}
    equal({"elbo": ends["first"]["elbo"]}, {"elbo": ends["last"]["elbo"]})
    assert (ends["first"]["heldout_elbo"][-1] > ends["last"]["heldout_elbo"][-1] + 10).all()


def test_the_same_seed_gives_the_same_trace_and_another_seed_another():
    equal(arrays([replica(1), replica(2)]), arrays([replica(1), replica(2)]))
    both = arrays([replica(1), replica(2)])["elbo"]
    assert np.abs(both[:, 0] - both[:, 1]).min() > 1e-4


def test_recorded_steps_and_names():
    pack = Pack([replica(0)], TRAIN, TEST)
    trace = pack.run()
    assert trace.steps == [0, 1, 2, 4, 8, 16, 24, 30, 32, 40]
    recorded = trace.arrays()
    assert {"elbo", "gap", "heldout_elbo", "gradient_norm", "latent_entropy", "gap_standard_error"} <= recorded.keys()
    gap = (recorded["entropy"] - recorded["cross_entropy"]).sum(-1)
    np.testing.assert_allclose(recorded["gap"], gap, atol=1e-5)
    np.testing.assert_allclose(recorded["gap"], recorded["elbo"] - recorded["entropy_sum"], atol=1e-4)
    np.testing.assert_allclose(recorded["latent_entropy"].sum(-1), recorded["posterior_entropy"], atol=1e-5)


class Interruption(Exception):
    pass


@pytest.mark.parametrize("at", [0, 1, 8, 24, 30, 32])
def test_resumes_to_the_same_trace(tmp_path, at):
    """Killed at any recorded step, in either phase and between them; the last checkpoint is all that is left."""
    undisturbed = arrays([replica(0), replica(1)])
    checkpoint = tmp_path / "job.checkpoint"

    def kill(pack):
        if pack.step > at:
            raise Interruption

    options = {"identity": "job", "checkpoint": checkpoint, "checkpoint_seconds": 0}
    with pytest.raises(Interruption):
        Pack([replica(0), replica(1)], TRAIN, TEST, **options).run(kill)
    assert checkpoint.exists()
    resumed = Pack([replica(0), replica(1)], TRAIN, TEST, **options)
    equal(undisturbed, resumed.run().arrays())


@pytest.mark.parametrize("at", [0, 2, 30, 32])
def test_stop_saves_and_resumes_to_the_same_trace(tmp_path, at):
    options = {"identity": "job", "checkpoint": tmp_path / "job.checkpoint"}
    pack = Pack([replica(0), replica(1)], TRAIN, TEST, **options)
    with pytest.raises(Interrupted, match=f"step {at} of 40"):
        pack.run(lambda pack: pack.stop() if pack.step == at else None)
    equal(arrays([replica(0), replica(1)]), Pack([replica(0), replica(1)], TRAIN, TEST, **options).run().arrays())


@pytest.mark.parametrize("at", [1, 3, 9, 29, 31, 39])
def test_stops_at_any_step_and_resumes_to_the_same_trace(tmp_path, at):
    """Also between recorded steps, where a replica may have diverged unnoticed."""
    make = partial(Pack, [replica(0), replica(1, with_rate(1e30)), replica(2)], TRAIN, TEST)
    undisturbed = make()
    undisturbed.run()
    resumed = interrupted(make, at, tmp_path)
    same_end(resumed, undisturbed)
    np.testing.assert_array_equal(undisturbed.trace.diverged_at, resumed.trace.diverged_at)
    assert resumed.trace.wall_time == sorted(resumed.trace.wall_time)


def test_a_checkpoint_of_another_job_is_not_taken_up(tmp_path):
    checkpoint = tmp_path / "job.checkpoint"
    options = {"checkpoint": checkpoint, "checkpoint_seconds": 0}
    Pack([replica(5)], TRAIN, TEST, identity="one", **options).run()
    pack = Pack([replica(0)], TRAIN, TEST, identity="two", **options)
    equal(pack.run().arrays(), arrays([replica(0)]))


def test_a_damaged_checkpoint_is_named(tmp_path):
    checkpoint = tmp_path / "job.checkpoint"
    checkpoint.write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match=r"job\.checkpoint.*delete it"):
        Pack([replica(0)], TRAIN, TEST, identity="job", checkpoint=checkpoint).run()


@pytest.mark.parametrize("model", ["linear_vae", "vae0", "vae2", "vae3"])
@pytest.mark.parametrize("rate", [30.0, 1e4, 1e30])
def test_no_wild_replica_ends_its_pack(model, rate):
    pack = Pack([replica(0, model=model), replica(1, with_rate(rate), model)], TRAIN, TEST)
    trace = pack.run()
    alone = arrays([replica(0, model=model)])
    assert np.isnan(trace.diverged_at[0])
    np.testing.assert_allclose(trace.arrays()["elbo"][:, 0], alone["elbo"][:, 0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("model", "points"), [("bernoulli_vae", POINTS > 0), ("poisson_vae", np.floor(abs(3 * POINTS)))]
)
def test_models_of_other_data_than_real_numbers(model, points):
    points = points.astype(np.float32)
    assert np.isfinite(Pack([replica(0, model=model)], points[:60], points[60:]).run().arrays()["elbo"]).all()


def test_a_diverging_replica_is_frozen_and_the_others_go_on(tmp_path):
    wild = replica(1, with_rate(1e30))
    pack = Pack([replica(0), wild, replica(2)], TRAIN, TEST)
    trace = pack.run()
    assert np.isnan(trace.diverged_at[[0, 2]]).all()
    assert trace.diverged_at[1] in trace.steps
    assert all(torch.isfinite(p).all() for p in pack.model.parameters())
    recorded, sound = trace.arrays(), arrays([replica(0), replica(2)])
    for name in ("elbo", "gap"):
        np.testing.assert_allclose(recorded[name][:, [0, 2]], sound[name], rtol=1e-4, atol=1e-4)
    options = {"identity": "job", "checkpoint": tmp_path / "job.checkpoint", "checkpoint_seconds": 0}
    first = Pack([replica(0), wild, replica(2)], TRAIN, TEST, **options)
    with pytest.raises(Interrupted):
        first.run(lambda pack: pack.stop() if pack.step == 16 else None)
    resumed = Pack([replica(0), wild, replica(2)], TRAIN, TEST, **options).run()
    equal(recorded, resumed.arrays())
    np.testing.assert_array_equal(resumed.diverged_at, trace.diverged_at)


@pytest.mark.parametrize(
    "change",
    [
        {"steps": 31},
        {"learning_rate": 2e-2},
        {"schedule": "constant"},
        {"batch_size": 8},
        {"batch_size": "full"},
        {"samples": 1},
    ],
)
def test_every_setting_of_a_phase_changes_the_trace(change):
    phases = (TRAINING.phases[0].model_copy(update=change), TRAINING.phases[1])
    other = arrays([replica(0, TRAINING.model_copy(update={"phases": phases}))])
    assert abs(other["elbo"][-1, 0] - arrays([replica(0)])["elbo"][-1, 0]) > 1e-6


def test_float64():
    training = TRAINING.model_copy(update={"precision": "float64"})
    pack = Pack([replica(0, training)], TRAIN, TEST)
    assert next(pack.model.parameters()).dtype == torch.float64
    double, single = pack.run().arrays(), arrays([replica(0)])
    assert np.isfinite(double["elbo"]).all()
    assert 0 < np.abs(double["elbo"][0] - single["elbo"][0]).max() < 1e3
