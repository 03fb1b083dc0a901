"""Systems of equations: the gaps of minibatches against derivatives of their ELBO along candidate directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from entropy_sums.bound import Bound
from entropy_sums.certificates.verdict import THRESHOLD
from entropy_sums.models.directions import Direction, alternatives
from entropy_sums.models.model import Model, copies, factors_of

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
        a: derivatives along the directions, `(batch, direction)`, each row of norm one, or zero without a gradient.
        b: gaps in the same units, `(batch, factor)`; the last factor is the total.
        sizes: scales that residuals are relative to, `(factor,)`; zero where gap and terms are identically zero.
        fitted: number of minibatches that are fitted.
    """

    a: np.ndarray
    b: np.ndarray
    sizes: np.ndarray
    fitted: int

    def residual(self, factor: int, direction: np.ndarray) -> float:
        """Relative residual of a direction, on minibatches that were not fitted."""
        distance = self.a[self.fitted :] @ direction - self.b[self.fitted :, factor]
        return float(relative(float(np.linalg.norm(distance)), self.sizes[factor]))

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
        products: inner products of the directions with each other, `(direction, direction)`.
        by_chance: whether the directions fit any function of the data.
    """

    coefficients: np.ndarray
    residuals: np.ndarray
    system: System
    products: np.ndarray
    by_chance: bool = False


class Equations(NamedTuple):
    """Both sides of the equations, a row per replica of a model, each with a minibatch of its own.

    Attributes:
        left: derivatives of the ELBO along the directions, `(replica, direction)`.
        right: gaps, `(replica, factor)`; the last factor is the total.
        terms: cross-entropies, `(replica, factor)`, and the ELBO in the last column.
        control: mean of a function of the data that is unrelated to the model, `(replica, 1)`.
        addends: sums of the absolute values whose sums are the derivatives, `(replica, direction)`.
    """

    left: np.ndarray
    right: np.ndarray
    terms: np.ndarray
    control: np.ndarray
    addends: np.ndarray

    @property
    def finite(self) -> np.ndarray:
        """Whether gaps and gradients are finite, and so are the squares of the latter, `(replica,)`."""
        with np.errstate(over="ignore", invalid="ignore"):
            norms = np.linalg.norm(self.left, axis=1, keepdims=True)
        return np.asarray(np.isfinite(np.hstack([norms, self.right, self.terms])).all(axis=1))


def solve(model: Model, replica: int, data: Tensor, generator: torch.Generator) -> Solution:
    """Search for the direction of every factor and of the total at the parameters of a replica.

    Of several solutions, the one with the smallest sum of absolute coefficients is taken, which is sparse.

    Args:
        model: model in float64.
        data: `(N, D)` in float64.

    Raises:
        FloatingPointError: gaps or gradients are not finite at these parameters.
    """
    directions = model.directions()
    fitted = EQUATIONS_PER_DIRECTION * len(directions)
    parts = parts_of(model, fitted + HELDOUT_EQUATIONS)
    found = [equations(copies(model, len(part), replica), data, POINTS, generator) for part in parts]
    every = Equations(*(np.concatenate(rows) for rows in zip(*found, strict=True)))
    if not every.finite.all():
        raise FloatingPointError("gaps or gradients are not finite at these parameters")
    # Batches with large gradients must not drown the others in rounding; without a gradient there is 0 = gap
    norms = np.linalg.norm(every.left, axis=1, keepdims=True)
    norms = np.maximum(norms, RANK * np.linalg.norm(every.right, axis=1, keepdims=True))
    norms[norms == 0] = 1
    a, b, scale = every.left / norms, every.right / norms, every.terms / norms
    coefficients, *_ = np.linalg.lstsq(a[:fitted], b[:fitted], rcond=RANK)
    # A gap that is small beside the terms, or the derivatives, of which it is the difference, has few correct digits
    cancelling = CANCELLING * np.hypot(scale[fitted:], np.abs(a[fitted:]) @ np.abs(coefficients))
    sizes = _sizes(b[fitted:], cancelling)
    system = System(a, b, sizes, fitted)
    products = inner_products(directions, copies(model, 1, replica))
    if system.fits((every.control / norms)[:, 0]):
        return Solution(coefficients.T, np.full(b.shape[1], np.nan), system, products, by_chance=True)
    residuals = np.array([system.residual(factor, c) for factor, c in enumerate(coefficients.T)])
    failing = np.flatnonzero(residuals[:-1] >= THRESHOLD)
    if failing.size:
        # The total must not hold just because what fails is small beside the other factors
        (sizes[-1],) = _sizes(b[fitted:, failing].sum(1)[:, None], cancelling[:, failing].sum(1)[:, None])
        residuals[-1] = system.residual(-1, coefficients[:, -1])
    nothing, pairs = nullspace(a[:fitted]), alternatives(model, directions)
    for factor in np.flatnonzero(residuals < THRESHOLD).tolist():
        sparse = sparsest(a[:fitted], b[:fitted, factor], coefficients[:, factor], nothing, pairs)
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
    return Solution(coefficients.T, residuals, system, products)


def _sizes(gaps: np.ndarray, cancelling: np.ndarray) -> np.ndarray:
    """Scales of residuals, `(batch, factor)` → `(factor,)`: the gap, or what rounding leaves of larger terms."""
    return np.maximum(np.linalg.norm(gaps, axis=0), np.linalg.norm(cancelling, axis=0))


def relative(distance: np.ndarray | float, size: np.ndarray | float) -> np.ndarray:
    """Distance relative to a size; zero of zero is 0, for the identity 0 = v·∇F holds with v = 0.

    Example:
        >>> relative(np.array([1.0, 0.0]), np.array([4.0, 0.0]))
        array([0.25, 0.  ])
    """
    distance, size = np.asarray(distance), np.asarray(size)
    return np.divide(distance, size, out=np.where(distance == 0, 0.0, np.inf), where=size > 0)


def parts_of(model: Model, replicas: int) -> Sequence[Tensor]:
    """Numbers of that many copies of a replica, in parts that are computed at once."""
    size = sum(parameter[0].numel() for parameter in model.parameters())
    return torch.arange(replicas).split(max(1, ENTRIES_AT_ONCE // size))


def equations(many: Model, data: Tensor, points: int, generator: torch.Generator) -> Equations:
    """Equations of random minibatches, one per replica of a model, so that one pass gives all gradients.

    Args:
        data: `(N, D)` in float64.
        points: number of points per minibatch.
    """
    chosen = torch.randint(len(data), (many.replicas, points), generator=generator)
    noise = torch.randn(many.replicas, points, many.noise_dim, generator=generator, dtype=torch.float64)
    x = data[chosen.to(data.device)]
    bound = many.bound(x, noise.to(data.device))
    factors, gradients = factors_of(many, bound), gradients_of(many, bound)
    gaps = torch.stack([*(factor.gap for factor in factors), bound.gap], dim=-1)
    terms = torch.stack([*(factor.cross_entropy for factor in factors), bound.elbo], dim=-1)
    ripples = torch.randn(data.shape[1], generator=torch.Generator().manual_seed(0), dtype=data.dtype).to(data.device)
    control = (RIPPLES * x @ ripples + 1).sin().mean(1, keepdim=True)
    directions = many.directions()
    left = projections(directions, many, gradients)
    sizes = {name: gradient.abs() for name, gradient in gradients.items()}
    addends = projections(directions, many, sizes, absolute=True)
    values = left, gaps, terms, control, addends
    return Equations(*(value.detach().cpu().numpy() for value in values))


def gradients_of(model: Model, bound: Bound) -> dict[str, Tensor]:
    """Gradient of the ELBO of every replica in the learned parameters; zero in those that it does not depend on."""
    learned = model.learned()
    if not bound.elbo.requires_grad:
        return {name: torch.zeros_like(parameter) for name, parameter in learned.items()}
    found = torch.autograd.grad(bound.elbo.sum(), [*learned.values()], allow_unused=True, materialize_grads=True)
    return dict(zip(learned, found, strict=True))


def projections(
    directions: Sequence[Direction], model: Model, gradients: Mapping[str, Tensor], absolute: bool = False
) -> Tensor:
    """Projections ⟨d, ∇F⟩ for every candidate, `(replica, direction)`; of absolute values ⟨|d|, ∇F⟩ if so wished."""
    learned = {name: tensor.detach().abs() if absolute else tensor.detach() for name, tensor in model.learned().items()}
    columns = [d.along(gradients[d.parameter], learned[d.parameter]) for d in directions]
    return torch.stack(columns, dim=1)


def inner_products(directions: Sequence[Direction], model: Model) -> np.ndarray:
    """Inner products of the directions at the parameters of the first replica, `(direction, direction)`."""
    found, learned = np.zeros((len(directions), len(directions))), model.learned()
    for name, parameter in learned.items():
        own = [k for k, direction in enumerate(directions) if direction.parameter == name]
        vectors = [directions[k].vector(parameter.detach())[0].double() for k in own]
        if own:
            rows = torch.stack(vectors)
            found[np.ix_(own, own)] = (rows @ rows.T).cpu().numpy()
    return found


def norms_of(coefficients: np.ndarray, products: np.ndarray) -> np.ndarray:
    """Norms ‖v‖ in units of the parameters, `(factor, direction)` → `(factor,)`.

    Args:
        products: inner products of the directions.
    """
    return np.sqrt(np.einsum("fi,ij,fj->f", coefficients, products, coefficients).clip(min=0))


def nullspace(a: np.ndarray) -> np.ndarray:
    """Combinations of directions along which no minibatch has a gradient, as columns."""
    _, values, rows = np.linalg.svd(a, full_matrices=False)
    return rows[values <= RANK * values.max()].T


def sparsest(
    a: np.ndarray,
    b: np.ndarray,
    solution: np.ndarray,
    nothing: np.ndarray,
    pairs: Sequence[tuple[int, int]] = (),
) -> np.ndarray:
    """Solution with the smallest sum of absolute values: a linear programme, then least squares on its support.

    Small rationals are preferred where they fit as well, as they are exact.

    Args:
        pairs: columns of `a` that are multiples of each other: the solution has only one of them.
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
    sparse = _on_support(a, b, programme.x[:directions] - programme.x[directions : 2 * directions])
    for pair in pairs:
        sparse = _only_one(a, sparse, pair)
    return sparse


def _only_one(a: np.ndarray, solution: np.ndarray, pair: tuple[int, int]) -> np.ndarray:
    """Solution with the first or the second of two proportional columns: the one whose coefficient is rational."""
    if not a[:, pair].any(axis=0).all() or not solution[list(pair)].any():
        return solution
    moved = []
    for kept, other in (pair, pair[::-1]):
        ratio = a[:, other] @ a[:, kept] / (a[:, kept] @ a[:, kept])
        alone = solution.copy()
        alone[kept], alone[other] = solution[kept] + ratio * solution[other], 0
        alone[kept] = rationals(alone[[kept]])[0]
        moved.append((rational(alone[[kept]]), alone))
    return next((alone for nice, alone in moved if nice), moved[-1][1])


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
