"""What tests of all models have in common: settings that a model has, and data that it is for."""

from entropy_sums.models import MODELS

MADE = {
    "real": lambda x: x,
    "binary": lambda x: (x > 0) + 0 * x,
    "counts": lambda x: abs(2 * x) // 1,
    "nonnegative": abs,
    "positive": lambda x: abs(x) + 0.5,
}
"""Support → function that makes points of it from real ones, arrays or tensors."""


def accepted(name, **settings):
    """Those of the settings that a model has."""
    return {field: value for field, value in settings.items() if field in MODELS[name].model_fields}


def dim_of(name, other):
    """Data dimensions: 16 for a model of images, else as wished."""
    return 16 if "channels" in MODELS[name].model_fields else other


def supported(name, x):
    """Points that a model is a distribution over, made from real ones."""
    return MADE[MODELS[name].support](x)
