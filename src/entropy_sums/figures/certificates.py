"""Residuals of the search for a certificate: models that have one and models that have none lie far apart."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from entropy_sums.analysis import names
from entropy_sums.certificates.verdict import THRESHOLD, Verdict
from entropy_sums.figures import layout, style
from entropy_sums.quantities import group_name

LOWEST = 1e-17
"""Left end of the axis: residuals below the precision of float64 are drawn there."""


@style.styled
def draw(verdicts: Sequence[Verdict]) -> Figure:
    """A row per model and factor; a line from the smallest to the largest residual of each verdict.

    Example:
        >>> verdict = Verdict("vae1", "pca", "", "prior", True, "0", 1e-14, 1e-15, 5, 20, 120, "holds", 1.0, 1.0, 90)
        >>> [label.get_text() for label in draw([verdict]).axes[0].get_yticklabels()]
        ['VAE-1: prior']
    """
    rows = list(dict.fromkeys((verdict.model, verdict.factor) for verdict in verdicts))
    figure, grid = layout.facets(1, 1, style.COLUMN_WIDTH, [0.2 + 0.13 * max(len(rows), 3)])
    ax = grid[0, 0]
    ax.set_xscale("log")
    ax.axvline(THRESHOLD, **style.GUIDE)
    for verdict in verdicts:
        color = style.CERTIFIED if verdict.holds else style.UNCERTIFIED
        ends = [max(residual, LOWEST) for residual in (verdict.smallest_residual, verdict.residual)]
        y = rows.index((verdict.model, verdict.factor))
        inside = "none" if elsewhere(verdict) else color
        ax.plot(ends, [y, y], "o-", color=color, markerfacecolor=inside, markersize=2.5, linewidth=0.8, alpha=0.6)
    ax.set_xlim(LOWEST / 2, max([10, *(2 * verdict.residual for verdict in verdicts if verdict.residual > 0)]))
    ax.set_xticks([1e-16, 1e-12, 1e-8, 1e-4, 1])
    labels = [f"{names.readable(group_name(model))}: {names.readable(factor)}" for model, factor in rows]
    ax.set_yticks(range(len(rows)), labels)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    ax.set_xlabel("relative residual")
    ax.grid(axis="y", color="0.92", linewidth=0.5)
    ax.set_axisbelow(True)
    kinds = [layout.dot(style.CERTIFIED, "o", "holds"), layout.dot(style.UNCERTIFIED, "o", "does not hold")]
    if any(map(elsewhere, verdicts)):
        hollow = {"marker": "o", "markersize": 4, "markerfacecolor": "none", "linestyle": ""}
        kinds.append(Line2D([], [], color=style.UNCERTIFIED, label="does not hold everywhere", **hollow))
    layout.legend(figure, [*kinds, Line2D([], [], label="threshold", **style.GUIDE)])
    return figure


def elsewhere(verdict: Verdict) -> bool:
    """Whether the identity holds near the start, but not at some parameter values far from it."""
    return not verdict.holds and verdict.residual < THRESHOLD


def caption(verdicts: Sequence[Verdict]) -> str:
    """Caption: what is shown, and how far apart the two kinds are.

    Example:
        >>> more = (5, 20, 120, "", 1.0, 1.0, 90)
        >>> found = [Verdict("vae1", "pca", "", "prior", r < 1e-6, "", r, r, *more) for r in (1e-14, 1e-2)]
        >>> caption(found)[-103:]
        'No trained runs enter. Verdicts that hold: 1, residuals up to 1.0e-14; that do not: 1, from 1.0e-02 on.'
    """
    held = [verdict.residual for verdict in verdicts if verdict.holds]
    untold = [verdict for verdict in verdicts if math.isnan(verdict.residual)]
    failed = [verdict.smallest_residual for verdict in verdicts if verdict.residual >= THRESHOLD]
    exceptions = [verdict for verdict in verdicts if elsewhere(verdict)]
    ends = [
        f"Verdicts that hold: {len(held)}" + (f", residuals up to {max(held):.1e}" if held else ""),
        f"that do not: {len(failed)}" + (f", from {min(failed):.1e} on" if failed else ""),
        *([f"that do not hold everywhere (hollow), as the table says: {len(exceptions)}"] if exceptions else []),
        *([f"without enough distinct data points to tell, and not drawn: {len(untold)}"] if untold else []),
    ]
    (trials,) = {verdict.trials for verdict in verdicts}
    return (
        "Relative residuals of the search for a direction v with gap = v·∇F, in float64 on minibatches that were not "
        "fitted. Each line is a combination of model settings and data, from the smallest to the largest residual of "
        f"{trials} random parameter values. The theorem holds below {THRESHOLD:g} (dashed). No trained runs enter. "
        f"{'; '.join(ends)}."
    )
