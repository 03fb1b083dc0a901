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
        trials: number of parameter values tried near the start.
        directions: number of candidate directions for v.
        equations: number of minibatches fitted per trial.
        verdict: verdict in words, such as `holds`, `holds where v is finite`, or `does not hold everywhere`.
        norm, smallest_norm: largest and smallest ‖v‖ over the trials, in units of the parameters; NaN without v. The
            gap is at most ‖v‖ times the norm of the gradient, so that along a long v it closes slowly.
        places: number of parameter values tried far from the start.
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
    verdict: str
    norm: float
    smallest_norm: float
    places: int


def as_text(verdict: Verdict) -> str:
    """A verdict as a line of text.

    Example:
        >>> no, nan = "no direction", float("nan")
        >>> as_text(Verdict("vae0", "pca", "", "prior", False, no, 0.2, 0.1, 8, 28, 168, "does not hold", nan, nan, 0))
        'vae0 pca, prior: does not hold, relative residual 1.0e-01 to 2.0e-01: no direction'
        >>> as_text(Verdict("vae1", "pca", "", "prior", True, "1 · w", 2e-15, 0.0, 8, 28, 168, "holds", 3.0, 2.5, 90))
        'vae1 pca, prior: holds, relative residual 0.0e+00 to 2.0e-15, ‖v‖ 2.5 to 3 in units of the parameters: 1 · w'
    """
    cell = " ".join(part for part in (verdict.model, verdict.dataset, verdict.settings) if part)
    said = [verdict.verdict]
    if not math.isnan(verdict.residual):
        said.append(f"relative residual {verdict.smallest_residual:.1e} to {verdict.residual:.1e}")
    if not math.isnan(verdict.norm):
        ends = dict.fromkeys(f"{norm:.3g}" for norm in (verdict.smallest_norm, verdict.norm))
        said.append(f"‖v‖ {' to '.join(ends)} in units of the parameters")
    return f"{cell}, {verdict.factor}: {', '.join(said)}: {verdict.direction}"
