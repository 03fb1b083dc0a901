"""Settings of models declare what the models do: every one, at each of its choices, is built and asked."""

from copy import deepcopy
from typing import Literal, get_args, get_origin

import pytest
import torch

from entropy_sums.layers import Dropout, drawing
from entropy_sums.models import MODELS, build
from entropy_sums.models.abilities import IMPLEMENTED, abilities
from entropy_sums.models.base import Ability, ModelSettings

DIM, POINTS = 16, 7
SMALL = {"encoder_width": 4, "decoder_width": 4, "width": 2, "chains": 3}
NUMBERS = {"dropout": 0.3, "beta": 2.0, "free_bits": 1.0, "pretraining_steps": 2}
TOGETHER = {"enumeration": {"gradient": "exact"}, "entropy": {"averaging": 0.5}}
"""Choice → what else it wants."""

ALIKE = ("activation", "variance_head")
"""Settings whose choices are functions in the same places."""


def choices(name):
    """The settings of a model with each of its choices in turn."""
    fields = MODELS[name].model_fields
    small = {setting: value for setting, value in SMALL.items() if setting in fields}
    yield pytest.param(MODELS[name](**small), id=name)
    for setting, field in fields.items():
        if setting in ALIKE:
            continue
        values = get_args(field.annotation) if get_origin(field.annotation) is Literal else ()
        for value in (*values, *([NUMBERS[setting]] if setting in NUMBERS else [])):
            others = {k: v for k, v in TOGETHER.get(value, {}).items() if k in fields}
            yield pytest.param(MODELS[name](**small | others | {setting: value}), id=f"{name}-{setting}={value}")


EVERY = [case for name in MODELS for case in choices(name)]


def source(seed=0):
    return torch.Generator().manual_seed(seed)


def points(settings):
    """Zeros and ones lie in every support but the positive numbers."""
    return torch.rand(POINTS, DIM, generator=source(1)).round() + (settings.support == "positive")


def graded(model, settings, of):
    """A value and its gradients, with the same units dropped."""
    copied = deepcopy(model)
    noise = torch.randn(1, settings.least_samples * POINTS, model.noise_dim, generator=source(2))
    dropouts = [m for m in copied.modules() if isinstance(m, Dropout) and m.rate.any()]
    with drawing(dropouts, [source(3)] if dropouts else ()):
        value = of(copied, points(settings), noise)
    value.sum().backward()
    return [value.detach(), *(p.grad for p in copied.parameters() if p.requires_grad and p.grad is not None)]


@pytest.mark.parametrize("settings", EVERY)
@pytest.mark.usefixtures("float64")
def test_a_model_does_what_its_settings_declare_and_no_more(settings):
    model = build([settings], DIM, [source()])
    declared = settings.abilities
    assert abilities(model, None) == declared - {Ability.BOUND}
    objective = graded(model, settings, lambda m, x, noise: m.objective(x, noise))
    bound = graded(model, settings, lambda m, x, noise: m.bound(x, noise).elbo)
    assert all(value.isfinite().all() for value in (*objective, *bound))
    alike = len(objective) == len(bound) and all(map(torch.equal, objective, bound))
    assert alike == (Ability.BOUND in declared)


@pytest.mark.parametrize("settings", [case for case in EVERY if case.values[0].least_samples > 1])
def test_fewer_samples_than_declared_are_too_few(settings):
    model = build([settings], DIM, [source()])
    with pytest.raises(ValueError, match="needs at least 2 posterior samples"):
        model.objective(points(settings), torch.zeros(1, (settings.least_samples - 1) * POINTS, model.noise_dim))


def test_what_is_implemented_needs_no_declaration():
    """As of models of plugins; only of the bound numbers alone tell."""
    model = build([MODELS["vae1"]()], 3, [source()])
    implemented = {Ability.LANDSCAPE, Ability.PRIOR_WEIGHT, Ability.WEIGHTS}
    assert ModelSettings().abilities is None
    assert abilities(model, None) == implemented
    assert abilities(model, frozenset({Ability.BOUND, Ability.MAXIMISE})) == implemented | {Ability.BOUND}
    assert IMPLEMENTED.keys() == {*Ability} - {Ability.BOUND}
