"""Systems of equations: the gaps of minibatches against derivatives of their ELBO along candidate directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from entropy_sums.certificates.verdict import THRESHOLD
from entropy_sums.models.directions import Direction
from entropy_sums.models.model import Model, copies

RANK = 1e-11
"""Relative size of singular values that count as zero."""

EQUATIONS_PER_DIRECTION = 6

HELDOUT_EQUATIONS = 32

POINTS = 8
"""Number of points per minibatch: few, so that the gaps of minibatches differ."""

ENTRIES_AT_ONCE = 2**22
"""Largest number of parameters, over the copies for all minibatches that are computed at once."""

CANCELLING = 1e-6
"""Smallest scale of residuals as a part of the terms that cancel in the gap; the usual scale is the gap itself."""

RIPPLES = 1e3
"""Frequency of the control as a function of the data, so high that no model comes near it."""

CONSTANT = 1e-7
"""Largest difference of a coefficient between parameter values at which it counts as constant."""

LARGEST_DENOMINATOR = 8


class System(NamedTuple):
    """Equations at the parameters of one replica, a row per minibatch: some for the fit, the others to judge it.

    Attributes:
        a: derivatives along the directions, `(batch, direction)`, each row of norm one.
        b: gaps in the same units, `(batch, factor)`; the last factor is the total.
        sizes: scales that residuals are relative to, `(factor,)`.
        fitted: number of minibatches that are fitted.
    """

    a: np.ndarray
    b: np.ndarray
    sizes: np.ndarray
    fitted: int

    def residual(self, factor: int, direction: np.ndarray) -> float:
        """Relative residual of a direction, on minibatches that were not fitted."""
        distance = self.a[self.fitted :] @ direction - self.b[self.fitted :, factor]
        return float(np.linalg.norm(distance) / self.sizes[factor])

    def fits(self, gap: np.ndarray) -> bool:
        """Whether another function of the minibatches, `(batch,)`, has a direction."""
        direction, *_ = np.linalg.lstsq(self.a[: self.fitted], gap[: self.fitted], rcond=RANK)
        distance = self.a[self.fitted :] @ direction - gap[self.fitted :]
        return bool(np.linalg.norm(distance) < THRESHOLD * np.linalg.norm(gap[self.fitted :]))


@dataclass(frozen=True)
class Solution:
    """Least squares at the parameters of one replica.

    Attributes:
        coefficients: `(factor, direction)`; the last factor is the total.
        residuals: relative residuals on minibatches that were not fitted, `(factor,)`. They are NaN where directions
            fit any function of the data, because there are hardly more distinct points than directions. They are also
            NaN where directions fit a constant, unless the coefficients are small rationals.
        system: equations that are solved.
        by_chance: whether the directions fit any function of the data.
    """

    coefficients: np.ndarray
    residuals: np.ndarray
    system: System
    by_chance: bool = False


def solve(model: Model, replica: int, data: Tensor, generator: torch.Generator) -> Solution:
    """Search for the direction of every factor and of the total at the parameters of a replica.

    Of several solutions, the one with the smallest sum of absolute coefficients is taken, which is sparse.

    Args:
        model: model in float64.
        data: `(N, D)` in float64.

    Raises:
        FloatingPointError: gaps or gradients are not finite at these parameters.
    """
    fitted = EQUATIONS_PER_DIRECTION * len(model.directions())
    size = sum(parameter[0].numel() for parameter in model.parameters())
    parts = torch.arange(fitted + HELDOUT_EQUATIONS).split(max(1, ENTRIES_AT_ONCE // size))
    found = [_equations(model, replica, len(part), data, generator) for part in parts]
    left, right, terms, control = (torch.cat(rows).cpu().numpy() for rows in zip(*found, strict=True))
    # Batches with large gradients must not drown the others in rounding
    with np.errstate(over="ignore"):
        norms = np.linalg.norm(left, axis=1, keepdims=True)
    if not np.isfinite(np.hstack([norms, right, terms])).all():
        raise FloatingPointError("gaps or gradients are not finite at these parameters")
    a, b, scale = left / norms, right / norms, terms / norms
    coefficients, *_ = np.linalg.lstsq(a[:fitted], b[:fitted], rcond=RANK)
    # A gap that is small beside the terms, or the derivatives, of which it is the difference, has few correct digits
    cancelling = np.hypot(scale[fitted:], np.abs(a[fitted:]) @ np.abs(coefficients))
    sizes = np.maximum(np.linalg.norm(b[fitted:], axis=0), CANCELLING * np.linalg.norm(cancelling, axis=0))
    system = System(a, b, sizes, fitted)
    if system.fits((control / norms)[:, 0]):
        return Solution(coefficients.T, np.full(b.shape[1], np.nan), system, by_chance=True)
    residuals = np.array([system.residual(factor, c) for factor, c in enumerate(coefficients.T)])
    if (residuals[:-1] >= THRESHOLD).any():
        # The total must not hold just because a factor without a certificate is small beside the others
        residuals[-1] *= sizes[-1] / sizes[:-1].min()
        sizes[-1] = sizes[:-1].min()
    nothing = nullspace(a[:fitted])
    for factor in np.flatnonzero(residuals < THRESHOLD).tolist():
        sparse = sparsest(a[:fitted], b[:fitted, factor], coefficients[:, factor], nothing)
        residual = system.residual(factor, sparse)
        if residual < THRESHOLD:
            coefficients[:, factor], residuals[factor] = sparse, residual
    if system.fits(1 / norms[:, 0]):
        # Then v·∇F = 1 for some v and any data, and no such point is stationary: only small rationals, which do not
        # arise by chance, are evidence of more
        chance = [f for f, c in enumerate(coefficients.T) if residuals[f] < THRESHOLD and not rational(c)]
        residuals[chance] = np.nan
        # The total cannot be told where one of its factors cannot
        residuals[-1] = np.nan if np.isnan(residuals).any() else residuals[-1]
    if (residuals[:-1] < THRESHOLD).all():
        coefficients[:, -1] = coefficients[:, :-1].sum(1)
    return Solution(coefficients.T, residuals, system)


def _equations(
    model: Model, replica: int, batches: int, data: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Projections, gaps, cross-entropies and control, a row per minibatch.

    The last column of gaps and cross-entropies is the total. The control is the mean of a function of the data that is
    unrelated to the model. Every minibatch goes to its own copy of the replica, so that one pass gives all gradients.
    """
    many = copies(model, batches, replica)
    chosen = torch.randint(len(data), (batches, POINTS), generator=generator)
    noise = torch.randn(batches, POINTS, model.noise_dim, generator=generator, dtype=torch.float64)
    points = data[chosen.to(data.device)]
    bound = many.bound(points, noise.to(data.device))
    learned = many.learned()
    found = torch.autograd.grad(bound.elbo.sum(), [*learned.values()], allow_unused=True, materialize_grads=True)
    factors = list(bound.factors.values())
    gaps = torch.stack([*(factor.gap for factor in factors), bound.gap], dim=-1)
    terms = torch.stack([*(factor.cross_entropy for factor in factors), bound.elbo], dim=-1)
    ripples = torch.randn(data.shape[1], generator=torch.Generator().manual_seed(0), dtype=data.dtype).to(data.device)
    control = (RIPPLES * points @ ripples).sin().mean(1, keepdim=True)
    gradients = dict(zip(learned, found, strict=True))
    return projections(model.directions(), many, gradients), gaps.detach(), terms.detach(), control


def projections(directions: Sequence[Direction], model: Model, gradients: Mapping[str, Tensor]) -> Tensor:
    """Projections ⟨d, ∇F⟩ for every candidate, `(replica, direction)`."""
    learned = model.learned()
    columns = [d.along(gradients[d.parameter], learned[d.parameter].detach()) for d in directions]
    return torch.stack(columns, dim=1)


def nullspace(a: np.ndarray) -> np.ndarray:
    """Combinations of directions along which no minibatch has a gradient, as columns."""
    _, values, rows = np.linalg.svd(a, full_matrices=False)
    return rows[values <= RANK * values.max()].T


def sparsest(a: np.ndarray, b: np.ndarray, solution: np.ndarray, nothing: np.ndarray) -> np.ndarray:
    """Solution with the smallest sum of absolute values: a linear programme, then least squares on its support.

    Small rationals are preferred where they fit as well, as they are exact.
    """
    # Every training job imports this module, but few need scipy
    from scipy.optimize import linprog

    directions, free = nothing.shape
    if not free:
        return _on_support(a, b, solution)
    # solution + nothing @ z = above − below, both at least zero
    equality = np.hstack([np.eye(directions), -np.eye(directions), -nothing])
    cost = np.concatenate([np.ones(2 * directions), np.zeros(free)])
    limits = [(0, None)] * (2 * directions) + [(None, None)] * free
    programme = linprog(cost, A_eq=equality, b_eq=solution, bounds=limits, method="highs")
    if not programme.success:
        return solution
    return _on_support(a, b, programme.x[:directions] - programme.x[directions : 2 * directions])


def _on_support(a: np.ndarray, b: np.ndarray, solution: np.ndarray) -> np.ndarray:
    support = np.abs(solution) > 1e-6 * np.abs(solution).max(initial=0)
    result = np.zeros_like(solution)
    result[support] = np.linalg.lstsq(a[:, support], b, rcond=RANK)[0]
    rational = rationals(result)
    return rational if np.linalg.norm(a @ rational - b) <= 2 * np.linalg.norm(a @ result - b) else result


def rationals(values: np.ndarray) -> np.ndarray:
    """Values, of which those close to a small rational are replaced by it."""
    nearest = _nearest(values)
    return np.where(np.abs(values - nearest) < CONSTANT, nearest, values)


def rational(values: np.ndarray) -> bool:
    """Whether all values are close to small rationals, which does not happen by chance."""
    return bool((np.abs(values - _nearest(values)) < CONSTANT * np.abs(values).max(initial=0)).all())


def _nearest(values: np.ndarray) -> np.ndarray:
    """Nearest small rationals."""
    return np.vectorize(lambda value: float(Fraction(value).limit_denominator(LARGEST_DENOMINATOR)), [float])(values)
