"""The state of a training: every name of a checkpoint, what is put back, and what is taken up again."""

import numpy as np
import pytest
import torch
from safetensors import safe_open

from entropy_sums.models import MODELS, build
from entropy_sums.training.optimizers.catalogue import OPTIMIZERS
from entropy_sums.training.pack import Interrupted, Pack
from entropy_sums.training.phase import Phase
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import PhaseSettings, TrainingSettings
from entropy_sums.training.state import Standing, State

POINTS = (np.random.default_rng(0).random((20, 4)) < 0.5).astype(float)
LINEAR = (
    "parameter/encoder.spread",
    "parameter/encoder.mean.weight",
    "parameter/encoder.mean.bias",
    "parameter/decoder.spread",
    "parameter/decoder.mean.weight",
    "parameter/decoder.mean.bias",
)


def pack(model, checkpoint, **evaluation):
    phases = [{"steps": 6, "batch_size": 10}]
    training = TrainingSettings(
        phases=phases, evaluation={"every": 4, "samples": 2, "certificate": False, **evaluation}
    )
    replicas = [Replica(seed, MODELS[model](), training) for seed in (0, 1)]
    return Pack(replicas, POINTS, POINTS, identity="job", checkpoint=checkpoint)


def names(model, at, file, **evaluation):
    """Names in the checkpoint of a training that is stopped after a step."""
    made, update = pack(model, file, **evaluation), Phase.update

    def stopping(phase, step):
        update(phase, step)
        if step == at - 1:
            made.stop()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Phase, "update", stopping)
        with pytest.raises(Interrupted):
            made.run()
    with safe_open(file, framework="pt") as tensors:
        return {name for name in tensors.keys() if not name.startswith("trace/")}  # noqa: SIM118


def moments(of):
    return {f"{kind}/{name.partition('/')[2]}" for name in of for kind in ("parameter", "first", "second")}


def test_checkpoints_of_earlier_versions_have_these_names(tmp_path):
    """At a recorded step and between two, with and without minibatches: a change of them loses trainings under way."""
    state = moments(LINEAR)
    assert names("linear_vae", 4, tmp_path / "recorded") == {"clock"} | state
    found = names("linear_vae", 5, tmp_path / "between", batches=True)
    assert found == {"clock", "batch_elbo", "batch_entropy_sum"} | state | {f"kept/{name}" for name in state}


def test_buffers_that_training_changes_are_in_the_state(tmp_path):
    found = names("rbm", 4, tmp_path / "checkpoint")
    assert {name for name in found if name.startswith("buffer/")} == {
        f"buffer/{name}" for name in ("chains", "visible_offset", "hidden_offset", "hotter")
    }


def made(name, optimizer="adam"):
    model = build([MODELS[name]()] * 3, 4, [torch.Generator().manual_seed(seed) for seed in range(3)])
    phase = PhaseSettings(optimizer=optimizer, batch_size="full")
    return State(model, OPTIMIZERS[optimizer](model, [phase] * 3))


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_only_the_chosen_replicas_are_put_back(optimizer):
    state = made("rbm", optimizer)
    kept = state.copy()
    for tensor in state.live().values():
        tensor += 1
    state.put_back(kept, np.array([False, True, False]))
    for name, tensor in state.live().items():
        assert tensor[1].equal(kept[name][1]), name
        assert tensor[::2].equal(kept[name][::2] + 1), name


def test_a_phase_begins_with_the_parameters_of_the_last_one_and_moments_of_its_own():
    state = made("rbm")
    saved = {name: tensor + 1 for name, tensor in state.copy().items()}
    state.restore(saved, 0)
    for name, tensor in state.live().items():
        handed_on = name.startswith(("parameter/", "buffer/"))
        assert tensor.equal(saved[name] if handed_on else torch.zeros_like(tensor)), name
    state.restore(saved, 5)
    assert all(tensor.equal(saved[name]) for name, tensor in state.live().items())


def test_a_replica_with_a_parameter_that_is_not_finite_is_broken():
    state = made("linear_vae")
    for replica, value in ((0, torch.inf), (2, torch.nan)):
        state.optimizer.parameters[1].data[replica].view(-1)[0] = value
    assert state.broken().tolist() == [True, False, True]


def test_a_checkpoint_is_read_as_it_was_written(tmp_path):
    made = pack("linear_vae", tmp_path / "checkpoint", batches=True)
    with pytest.raises(Interrupted):
        made.run(lambda pack: pack.stop() if pack.step == 2 else None)
    found = Standing.read(tmp_path / "checkpoint", "job")
    assert (found.step, found.kept, found.recording.steps) == (2, {}, [0, 1, 2])
    assert found.seconds == made.seconds
    for name, values in made.trace.arrays().items():
        np.testing.assert_array_equal(found.recording.arrays()[name], values)
    assert Standing.read(tmp_path / "checkpoint", "another job") is None
