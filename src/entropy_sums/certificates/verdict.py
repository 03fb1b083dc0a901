"""Verdict of a certificate on a factor of a model. Light: figures read it without torch."""

from __future__ import annotations

import math
from dataclasses import dataclass

THRESHOLD = 1e-6
"""Largest relative residual of a certificate: models that have one stay below 1e-8, others reach 1e-3 and more."""


@dataclass(frozen=True)
class Verdict:
    """Verdict on one factor of one model on one dataset, or on the total of all its factors.

    Attributes:
        settings: settings that tell this model from the others of the study, beside its name and dataset.
        holds: whether the gap was v·∇F at all parameter values that were tried.
        direction: v in words.
        residual, smallest_residual: largest and smallest relative residual over the trials; NaN where nothing can be
            told.
        trials: number of parameter values tried.
        directions: number of candidate directions for v.
        equations: number of minibatches fitted per trial.
    """

    model: str
    dataset: str
    settings: str
    factor: str
    holds: bool
    direction: str
    residual: float
    smallest_residual: float
    trials: int
    directions: int
    equations: int


def as_text(verdict: Verdict) -> str:
    """A verdict as a line of text.

    Example:
        >>> as_text(Verdict("vae0", "pca", "", "observation", False, "no direction", 0.2, 0.1, 8, 28, 168))
        'vae0 pca, observation: does not hold, relative residual 1.0e-01 to 2.0e-01: no direction'
    """
    cell = " ".join(part for part in (verdict.model, verdict.dataset, verdict.settings) if part)
    if math.isnan(verdict.residual):
        return f"{cell}, {verdict.factor}: cannot be told: {verdict.direction}"
    holds = "holds" if verdict.holds else "does not hold"
    residuals = f"{verdict.smallest_residual:.1e} to {verdict.residual:.1e}"
    return f"{cell}, {verdict.factor}: {holds}, relative residual {residuals}: {verdict.direction}"
