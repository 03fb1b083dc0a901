"""Generative models with a variational bound; import is light, torch comes with `build`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from entropy_sums.models.base import ModelSettings
from entropy_sums.models.catalogue import MODELS
from entropy_sums.modules import load_named

if TYPE_CHECKING:
    import torch

    from entropy_sums.models.model import Model

__all__ = ["MODELS", "ModelSettings", "build"]


def build(replicas: Sequence[ModelSettings], observed_dim: int, generators: Sequence[torch.Generator]) -> Model:
    """Build one model whose replica r has the settings `replicas[r]` and initial weights from `generators[r]`.

    Raises:
        ValueError: replicas differ in a setting that changes tensor shapes, or there is no such model of data
            of this dimension.

    Example:
        >>> import torch
        >>> model = build([MODELS["vae1"]()] * 3, 10, [torch.Generator().manual_seed(r) for r in range(3)])
        >>> model.bound(torch.zeros(5, 10), torch.zeros(3, 5, 2)).elbo.shape
        torch.Size([3])
    """
    shared = [settings.model_dump(exclude=settings.packed()) for settings in replicas]
    if any(other != shared[0] for other in shared):
        raise ValueError("replicas of one pack may differ only in packed settings: " + repr(shared))
    if reason := replicas[0].dimension_misfit(observed_dim):
        raise ValueError(reason)
    from entropy_sums.models.blueprint import Blueprint

    return load_named(type(replicas[0]), "implementation")(Blueprint(replicas, observed_dim, generators))
