"""Optimisers are found by name, declare what acts on them, and a new one is one file."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

from entropy_sums.models import MODELS
from entropy_sums.training.optimizers.base import Decay
from entropy_sums.training.optimizers.catalogue import OPTIMIZERS
from entropy_sums.training.pack import Pack
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import PhaseSettings, TrainingSettings

POINTS = np.random.default_rng(0).normal(size=(40, 3))
CHANGED = {
    "learning_rate": 0.05,
    "variance_rate": 3.0,
    "schedule": "linear",
    "batch_size": 9,
    "order": "given",
    "samples": 3,
    "iterations": 1,
    "history": 1,
    "prior_weight": 2.0,
    "weight_decay": 0.5,
    "second_moment_decay": 0.9,
}
"""Setting of a phase → another value than that of `phase`."""


def phase(name):
    """A few steps, in which every setting has something to act on."""
    full = OPTIMIZERS[name].full_batch
    return {"optimizer": name, "steps": 3, "batch_size": "full" if full else 8, "iterations": 5, "learning_rate": 0.1}


def end(settings):
    """The ELBO of a model that every optimiser can train, at the end of the phase."""
    model = {"em": "factor_analysis"}.get(settings["optimizer"], "linear_vae")
    training = TrainingSettings(phases=[settings], evaluation={"every": 3, "samples": 2, "certificate": False})
    return Pack([Replica(0, MODELS[model](), training)], POINTS, POINTS).run().records[-1]["elbo"].item()


def test_the_schema_knows_them_and_what_they_read():
    assert set(OPTIMIZERS) == {"adam", "adamw", "sgd", "em", "lbfgs"}
    schema = PhaseSettings.model_json_schema()["properties"]["optimizer"]
    assert set(schema["anyOf"][0]["enum"]) == set(OPTIMIZERS)
    assert all(f"`{name}`: " in schema["description"] for name in OPTIMIZERS)
    assert "models with a step of EM (`maximise`). Reads no setting" in " ".join(schema["description"].split())
    assert {"learning_rate", "weight_decay"} <= PhaseSettings.packed()
    assert {*CHANGED, "steps", "optimizer"} == PhaseSettings.model_fields.keys()


@pytest.mark.parametrize("setting", CHANGED)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_setting_acts_where_it_is_declared_and_nowhere_else(name, setting):
    plain = phase(name)
    refused = {"batch_size"} if OPTIMIZERS[name].full_batch else set()
    if OPTIMIZERS[name].decay is Decay.NONE:
        refused.add("weight_decay")
    if setting in refused:
        assert setting not in OPTIMIZERS[name].reads
        with pytest.raises(ValueError, match=f"{setting}: "):
            end(plain | {setting: CHANGED[setting]})
        return
    acts = end(plain | {setting: CHANGED[setting]}) != end(plain)
    assert acts == (setting in OPTIMIZERS[name].reads)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_weight_decay_is_read_where_it_acts(name):
    kind = OPTIMIZERS[name]
    assert (kind.decay is not Decay.NONE) == ("weight_decay" in kind.reads)
    assert kind.penalty(0.0) == 0
    assert np.isnan(kind.penalty(0.1)) == (kind.decay is Decay.DECOUPLED)


NEW = '''
"""Signs."""

from entropy_sums.training.optimizers.gradient import Gradient


class Signs(Gradient):
    """Steps of one length along the sign of the gradient."""

    name = "signs"

    def update(self, group, gradients, learning_rate):
        for parameter, gradient in zip(group.parameters, gradients, strict=True):
            parameter -= learning_rate * gradient.sign()
'''


def test_a_new_one_is_one_file(tmp_path):
    (tmp_path / "signs.py").write_text(NEW)
    code = f"""
        from entropy_sums.training import optimizers
        optimizers.__path__.append({str(tmp_path)!r})
        from entropy_sums.training.settings import PhaseSettings, TrainingSettings
        import sys
        assert not {{"torch", "numpy"}} & sys.modules.keys()
        assert "signs" in PhaseSettings.model_json_schema()["properties"]["optimizer"]["anyOf"][0]["enum"]
        import numpy as np
        from entropy_sums.models import MODELS
        from entropy_sums.training.pack import Pack
        from entropy_sums.training.replica import Replica
        evaluation = {{"every": 9, "samples": 2, "certificate": False}}
        training = TrainingSettings(phases=[{{"optimizer": "signs", "steps": 50}}], evaluation=evaluation)
        points = np.random.default_rng(0).normal(size=(100, 3)) + 1
        elbo = Pack([Replica(0, MODELS["linear_vae"](), training)], points, points).run().arrays()["elbo"]
        assert elbo[-1] > elbo[0]
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)
