r"""Certificates: does the gap of a model vanish at every stationary point, and along which direction of its parameters?

If there is a direction $v(\Theta)$, the same for all data and all latents, with $F - E = v \cdot \nabla F$, then ELBO
and entropy sum agree wherever the gradient vanishes (docs/theory.md). Such a direction is searched for numerically:
in the span of few candidate directions $d_k$ per parameter tensor, by least squares over many minibatches $b$,
$\sum_k c_k \langle d_k, \nabla F_b\rangle = \mathrm{gap}_b$. A residual at the precision of float64 is a certificate.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from itertools import groupby
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from entropy_sums.models.model import Model, copies

THRESHOLD = 1e-6
"""Largest relative residual of a certificate: models that have one stay below 1e-8, others reach 1e-3 and more."""

RANK = 1e-11
"""Relative size of singular values that count as zero."""

EQUATIONS_PER_DIRECTION = 6
HELDOUT_EQUATIONS = 32
POINTS = 8
"""Points per minibatch: few, so that the gaps of minibatches differ."""

ENTRIES_AT_ONCE = 2**22
"""Numbers in the parameters of all minibatches that are computed at once."""

MOST_HALVINGS = 10
"""Of the width of random parameters, until gaps and gradients are finite there."""

TOTAL = "total"
CANCELLING = 1e-6
"""Residuals are relative to the gap, but to no less than this part of the terms that cancel in it."""

RIPPLES = 1e3
"""How fast the control changes with the data: so fast that no model comes near it."""

CONSTANT = 1e-7
"""Coefficients that differ less between parameter values count as the same everywhere."""

LARGEST_DENOMINATOR = 8


@dataclass(frozen=True)
class Direction:
    """A candidate: `radial` (θ ↦ θ) or `shift` (θ ↦ 1) of a tensor, or the shift of one of its entries."""

    parameter: str
    kind: str
    entry: int | None = None

    def __str__(self) -> str:
        place = self.parameter if self.entry is None else f"{self.parameter}[{self.entry}]"
        return place if self.kind == "radial" else f"shift of {place}"


def directions(model: nn.Module) -> list[Direction]:
    """All candidates: radial and shift for every learned tensor; every entry by itself for vectors that are no biases.

    A vector outside the networks, such as log standard deviations, has a meaning entry by entry.

    Example:
        >>> from entropy_sums.models import MODELS, build
        >>> model = build([MODELS["linear_vae"]()], 3, [torch.Generator()])
        >>> [str(direction) for direction in directions(model)][:4]
        ['shift of encoder.spread[0]', 'shift of encoder.spread[1]', 'encoder.mean.weight', 'shift of ...']
    """
    return [Direction(name, kind, entry) for name, p in _learned(model) for kind, entry in _kinds(name, p)]


def _learned(model: nn.Module) -> list[tuple[str, Tensor]]:
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]


def _by_entry(name: str, parameter: Tensor) -> bool:
    size = parameter[0].numel()
    return size == max(parameter.shape[1:]) and (size == 1 or not name.endswith("bias"))


def _kinds(name: str, parameter: Tensor) -> list[tuple[str, int | None]]:
    if _by_entry(name, parameter):
        return [("shift", entry) for entry in range(parameter[0].numel())]
    return [("radial", None), ("shift", None)]


def _projections(model: nn.Module, gradients: Mapping[str, Tensor]) -> Tensor:
    """⟨d, ∇F⟩ for every candidate, `(replica, direction)`."""
    columns = []
    for name, parameter in _learned(model):
        gradient = gradients[name].flatten(1)
        if _by_entry(name, parameter):
            columns.append(gradient)
        else:
            columns.append((gradient * parameter.detach().flatten(1)).sum(1, keepdim=True))
            columns.append(gradient.sum(1, keepdim=True))
    return torch.cat(columns, dim=1)


class System(NamedTuple):
    """Equations at the parameters of one replica, a row per minibatch: some to fit, the others to judge the fit by.

    Attributes:
        a: derivatives along the directions, `(batch, direction)`, each row of norm one.
        b: gaps in the same units, `(batch, factor)`; the last factor is the total.
        sizes: what residuals are relative to, `(factor,)`.
        fitted: how many of the minibatches are fitted.
    """

    a: np.ndarray
    b: np.ndarray
    sizes: np.ndarray
    fitted: int

    def residual(self, factor: int, direction: np.ndarray) -> float:
        """Relative, on minibatches that were not fitted."""
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
        residuals: `(factor,)`, relative, on minibatches that were not fitted; NaN where any function of the data would
            be fitted as well, because there are hardly more distinct points than directions, or where one is, unless
            the direction has small rationals.
        system: what is solved.
        by_chance: whether any function of the data would be fitted.
    """

    coefficients: np.ndarray
    residuals: np.ndarray
    system: System
    by_chance: bool = False


def solve(model: Model, replica: int, data: Tensor, generator: torch.Generator) -> Solution:
    """Search for the direction of every factor and of the total at the parameters that a replica has.

    Where several directions serve, the one with the smallest sum of absolute coefficients is taken, which has few.

    Args:
        model: in float64.
        data: `(N, D)` in float64.

    Raises:
        FloatingPointError: gaps or gradients are not finite at these parameters.
    """
    fitted = EQUATIONS_PER_DIRECTION * len(directions(model))
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
    # Few digits are right of a gap that is small beside the terms, or the derivatives, of which it is the difference
    cancelling = np.hypot(scale[fitted:], np.abs(a[fitted:]) @ np.abs(coefficients))
    sizes = np.maximum(np.linalg.norm(b[fitted:], axis=0), CANCELLING * np.linalg.norm(cancelling, axis=0))
    system = System(a, b, sizes, fitted)
    if system.fits((control / norms)[:, 0]):
        return Solution(coefficients.T, np.full(b.shape[1], np.nan), system, by_chance=True)
    residuals = np.array([system.residual(factor, c) for factor, c in enumerate(coefficients.T)])
    if (residuals[:-1] >= THRESHOLD).any():
        # The total must not hold because a factor without a certificate is small beside the others
        residuals[-1] *= sizes[-1] / sizes[:-1].min()
        sizes[-1] = sizes[:-1].min()
    nothing = _nullspace(a[:fitted])
    for factor in np.flatnonzero(residuals < THRESHOLD).tolist():
        sparse = _sparsest(a[:fitted], b[:fitted, factor], coefficients[:, factor], nothing)
        residual = system.residual(factor, sparse)
        if residual < THRESHOLD:
            coefficients[:, factor], residuals[factor] = sparse, residual
    if system.fits(1 / norms[:, 0]):
        # Then some v·∇F is one whatever the data are, and no point like this is stationary: only small rationals, which
        # no chance makes, say more than that
        chance = [f for f, c in enumerate(coefficients.T) if residuals[f] < THRESHOLD and not _rational(c)]
        residuals[chance] = np.nan
        # A total is not told where one of its factors is not
        residuals[-1] = np.nan if np.isnan(residuals).any() else residuals[-1]
    if (residuals[:-1] < THRESHOLD).all():
        coefficients[:, -1] = coefficients[:, :-1].sum(1)
    return Solution(coefficients.T, residuals, system)


def _equations(
    model: Model, replica: int, batches: int, data: Tensor, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A row per minibatch: projections, gaps, cross-entropies, control.

    The total stands behind the factors of gaps and cross-entropies. The control is the mean of a function of the data
    that has nothing to do with the model.

    Every minibatch is given to a copy of the replica, so that one pass gives the gradients of all.
    """
    many = copies(model, batches, replica)
    chosen = torch.randint(len(data), (batches, POINTS), generator=generator)
    noise = torch.randn(batches, POINTS, model.noise_dim, generator=generator, dtype=torch.float64)
    points = data[chosen.to(data.device)]
    bound = many.bound(points, noise.to(data.device))
    names, parameters = zip(*_learned(many), strict=True)
    found = torch.autograd.grad(bound.elbo.sum(), parameters, allow_unused=True)
    gradients = {
        name: torch.zeros_like(parameter) if gradient is None else gradient
        for name, parameter, gradient in zip(names, parameters, found, strict=True)
    }
    factors = list(bound.factors.values())
    gaps = torch.stack([*(factor.gap for factor in factors), bound.gap], dim=-1)
    terms = torch.stack([*(factor.cross_entropy for factor in factors), bound.elbo], dim=-1)
    ripples = torch.randn(data.shape[1], generator=torch.Generator().manual_seed(0), dtype=data.dtype).to(data.device)
    control = (RIPPLES * points @ ripples).sin().mean(1, keepdim=True)
    return _projections(many, gradients), gaps.detach(), terms.detach(), control


def _nullspace(a: np.ndarray) -> np.ndarray:
    """Combinations of directions along which no minibatch has a gradient, as columns."""
    _, values, rows = np.linalg.svd(a, full_matrices=False)
    return rows[values <= RANK * values.max()].T


def _sparsest(a: np.ndarray, b: np.ndarray, solution: np.ndarray, nothing: np.ndarray) -> np.ndarray:
    """The solution with the smallest sum of absolute values: a linear programme, then least squares on its support.

    Where small rationals fit as well they are taken, which are exact.
    """
    # Every training job imports this module, few come here
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
    rational = _rationals(result)
    return rational if np.linalg.norm(a @ rational - b) <= 2 * np.linalg.norm(a @ result - b) else result


def spread(model: Model, generator: torch.Generator, trial: int = 0, width: float = 1.0) -> Model:
    """A copy in float64 with random parameters, well spread around those that the model has.

    Every tensor gets noise as large as itself (0.3 where it is zero) and a factor between a half and two, with a
    smaller `width` less of both. Entries of vectors outside the networks change their sign from trial to trial, as
    their meaning may depend on it; the first replica is that of `trial`.
    """
    copied = copy.deepcopy(model).double()
    with torch.no_grad():
        for name, parameter in _learned(copied):
            flat = parameter.flatten(1)
            size = flat.square().mean(1).sqrt()
            size = torch.where(size > 0, size, torch.full_like(size, 0.3))
            noise = torch.randn(flat.shape, generator=generator, dtype=torch.float64).to(flat.device)
            power = torch.rand(len(flat), 1, generator=generator, dtype=torch.float64).to(flat.device) - 0.5
            drawn = (flat + width * size[:, None] * noise) * 4 ** (width * power)
            if _by_entry(name, parameter):
                places = torch.arange(trial, trial + len(flat))[:, None] + torch.arange(flat.shape[1])
                drawn = drawn.abs() * (1 - 2 * (places % 2)).to(flat.device)
            parameter.copy_(drawn.reshape(parameter.shape))
        copied.constrain()
    return copied


@dataclass(frozen=True)
class Certificate:
    r"""The verdict on a model, factor by factor and in total.

    Attributes:
        factors: names, the last one is `total`.
        directions: the candidates.
        coefficients: `(factor, trial, direction)`: $v = \sum_k c_k d_k$.
        residuals: `(factor, trial)`: relative residuals on minibatches that were not fitted.
        equations: minibatches that are fitted per trial.

    Example:
        >>> from entropy_sums.models import MODELS, build
        >>> model = build([MODELS["vae0"](encoder_depth=0, decoder_depth=0)], 3, [torch.Generator().manual_seed(0)])
        >>> certificate = certify(model, torch.randn(50, 3, generator=torch.Generator().manual_seed(1)))
        >>> certificate.holds("prior"), certificate.holds("observation"), certificate.holds()
        (True, False, False)
    """

    factors: tuple[str, ...]
    directions: tuple[Direction, ...]
    coefficients: np.ndarray
    residuals: np.ndarray
    equations: int

    @property
    def trials(self) -> int:
        """Number of random parameter values that were tried."""
        return self.residuals.shape[1]

    def residual(self, factor: str = TOTAL) -> float:
        """The largest relative residual of all trials; NaN where the data are too few to tell."""
        return float(self.residuals[self.factors.index(factor)].max())

    def holds(self, factor: str = TOTAL) -> bool:
        """Whether the gap of the factor is v·∇F at all parameter values that were tried."""
        return self.residual(factor) < THRESHOLD

    @property
    def held(self) -> np.ndarray:
        """Which factors have a certificate, `(factor,)` without the total."""
        return np.array([self.holds(name) for name in self.factors[:-1]])

    @cached_property
    def constants(self) -> np.ndarray:
        """Coefficients `(factor, direction)` where they are the same at all parameter values, else NaN."""
        middle = np.median(self.coefficients, axis=1)
        constant = np.abs(self.coefficients - middle[:, None]).max(axis=1) < CONSTANT
        return np.where(constant, _rationals(middle), np.nan)

    def describe(self, factor: str = TOTAL) -> str:
        """The direction in words, with c(Θ) for coefficients that depend on the parameters, or why there is none."""
        position = self.factors.index(factor)
        if math.isnan(self.residual(factor)):
            return (
                f"not told: {len(self.directions)} directions fit any function of so few distinct data points, or of "
                "the little that the model sees of them"
            )
        if not self.holds(factor):
            failing = [name for name in self.factors[:-1] if not self.holds(name)]
            where = f" of {', '.join(failing)}" if factor == TOTAL and failing else ""
            return f"no direction{where}"
        terms = _joined(self.directions, self.constants[position].tolist())
        return ", ".join(f"{_number(c)} · {place}" for place, c in terms if c) or "0"

    def along(self, model: Model, data: Tensor) -> np.ndarray:
        """v·∇F of each factor in nats, `(replica, factor)`, from the gradients of the ELBO that the model holds.

        NaN for factors without a certificate. Coefficients that depend on the parameters are searched for anew.

        Args:
            data: `(N, D)`.
        """
        gradients = {
            name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            for name, parameter in _learned(model)
        }
        return self._products(model, gradients, data)

    def along_parameters(self, model: Model, data: Tensor) -> np.ndarray:
        """v·θ of each factor, `(replica, factor)`: times a weight decay λ, its gap at a stationary point, in nats.

        There ∇F is the gradient λθ of the penalty, so that v·∇F = λ v·θ. NaN for factors without a certificate.

        Args:
            data: `(N, D)`.
        """
        return self._products(model, {name: parameter.detach() for name, parameter in _learned(model)}, data)

    def _products(self, model: Model, vectors: Mapping[str, Tensor], data: Tensor) -> np.ndarray:
        """v times a vector with an entry for every learned parameter."""
        coefficients = np.broadcast_to(self.constants[:-1], (model.replicas, *self.constants[:-1].shape))
        if np.isnan(self.constants[:-1][self.held]).any():
            exact, generator = copy.deepcopy(model).double(), torch.Generator().manual_seed(0)
            for replica, found in enumerate(coefficients := coefficients.copy()):
                try:
                    found[:] = solve(exact, replica, data.double(), generator).coefficients[:-1]
                except FloatingPointError:  # it is about to diverge
                    found[:] = np.nan
        projections = _projections(model, {name: vector.double() for name, vector in vectors.items()}).cpu().numpy()
        products = np.einsum("rfd,rd->rf", coefficients, projections)
        return np.where(self.held, products, np.nan)


def certify(model: Model, data: Tensor, seed: int = 0, trials: int = 5) -> Certificate:
    """Search for a certificate at well spread random parameters, each with random minibatches.

    Args:
        model: its replicas are tried side by side; it is left as it is.
        data: `(N, D)`.
        trials: number of parameter values.

    Raises:
        ValueError: the ELBO of these data is not finite, even near the parameters that the model has.

    Example:
        >>> from entropy_sums.models import MODELS, build
        >>> model = build([MODELS["linear_vae"]()], 3, [torch.Generator().manual_seed(0)])
        >>> certify(model, torch.randn(50, 3, generator=torch.Generator().manual_seed(1))).describe("observation")
        '-1 · shift of decoder.spread'
    """
    generator = torch.Generator().manual_seed(seed)
    points = data.double()
    rounds = math.ceil(trials / model.replicas)
    solutions = [s for turn in range(rounds) for s in _tried(model, turn * model.replicas, points, generator)][:trials]
    coefficients = np.stack([solution.coefficients for solution in solutions], axis=1)
    residuals = np.stack([solution.residuals for solution in solutions], axis=1)
    systems = [solution.system for solution in solutions]
    if not any(solution.by_chance for solution in solutions):
        for factor in np.flatnonzero(np.isnan(residuals[:-1]).any(1)).tolist():
            if (common := _common(systems, factor)) is not None:
                coefficients[factor] = common
                residuals[factor] = [system.residual(factor, common) for system in systems]
        if (residuals[:-1] < THRESHOLD).all():
            coefficients[-1] = coefficients[:-1].sum(0)
            residuals[-1] = [s.residual(-1, total) for s, total in zip(systems, coefficients[-1], strict=True)]
    return Certificate((*model.factors, TOTAL), tuple(directions(model)), coefficients, residuals, systems[0].fitted)


def _common(systems: Sequence[System], factor: int) -> np.ndarray | None:
    """Small rationals that are a direction at all parameter values alike: no chance makes such ones."""
    a = np.vstack([system.a[: system.fitted] for system in systems])
    b = np.concatenate([system.b[: system.fitted, factor] for system in systems])
    found, *_ = np.linalg.lstsq(a, b, rcond=RANK)
    found = _sparsest(a, b, found, _nullspace(a))
    held = _rational(found) and all(system.residual(factor, found) < THRESHOLD for system in systems)
    return found if held else None


def _tried(model: Model, trial: int, points: Tensor, generator: torch.Generator) -> list[Solution]:
    """Solutions at random parameters of all replicas, as well spread as numbers stay finite."""
    for halvings in range(MOST_HALVINGS):
        scattered = spread(model, generator, trial, width=0.5**halvings)
        with suppress(FloatingPointError):
            return [solve(scattered, replica, points, generator) for replica in range(model.replicas)]
    raise ValueError(
        "the ELBO of these data is not finite, even near the parameters of the model; scale the data, or do "
        "without with evaluation: {certificate: false}"
    )


def _rationals(values: np.ndarray) -> np.ndarray:
    """Values that differ hardly from a small rational are that."""
    nearest = _nearest(values)
    return np.where(np.abs(values - nearest) < CONSTANT, nearest, values)


def _rational(values: np.ndarray) -> bool:
    """Whether all differ hardly from small rationals, as none do by chance."""
    return bool((np.abs(values - _nearest(values)) < CONSTANT * np.abs(values).max(initial=0)).all())


def _nearest(values: np.ndarray) -> np.ndarray:
    """The nearest small rationals."""
    return np.vectorize(lambda value: float(Fraction(value).limit_denominator(LARGEST_DENOMINATOR)), [float])(values)


def _joined(candidates: Sequence[Direction], coefficients: Sequence[float]) -> Iterator[tuple[str, float]]:
    """Entries of one vector with the same coefficient are one shift."""
    pairs = zip(candidates, coefficients, strict=True)
    for (parameter, kind), group in groupby(pairs, lambda pair: (pair[0].parameter, pair[0].kind)):
        members = list(group)
        if len({c for _, c in members}) == 1:
            yield str(Direction(parameter, kind)), members[0][1]
        else:
            yield from ((str(candidate), c) for candidate, c in members)


def _number(value: float) -> str:
    if math.isnan(value):
        return "c(Θ)"
    fraction = Fraction(value).limit_denominator(LARGEST_DENOMINATOR)
    return str(fraction) if float(fraction) == value else f"{value:.6g}"
