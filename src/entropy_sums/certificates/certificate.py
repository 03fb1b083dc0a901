r"""Certificates: does the gap of a model vanish at every stationary point, and along which direction of its parameters?

If there is a direction $v(\Theta)$, the same for all data and all latents, with $F - E = v \cdot \nabla F$, then ELBO
and entropy sum agree wherever the gradient vanishes (docs/theory.md). The search for such a direction is numerical, in
the span of few candidate directions $d_k$ per parameter tensor, by least squares over many minibatches $b$,
$\sum_k c_k \langle d_k, \nabla F_b\rangle = \mathrm{gap}_b$. A residual at the precision of float64 is a certificate.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from itertools import groupby

import numpy as np
import torch
from torch import Tensor

from entropy_sums.certificates import packing
from entropy_sums.certificates.places import Found, Known, far, found_at, known_at
from entropy_sums.certificates.system import (
    CONSTANT,
    LARGEST_DENOMINATOR,
    RANK,
    Solution,
    System,
    inner_products,
    norms_of,
    nullspace,
    projections,
    rational,
    rationals,
    solve,
    sparsest,
)
from entropy_sums.certificates.verdict import THRESHOLD
from entropy_sums.models.directions import Direction
from entropy_sums.models.model import TOTAL, Model, chosen

MOST_HALVINGS = 10
"""Largest number of halvings of the width of random parameters, until gaps and gradients are finite."""

MOST_POINTS = 64
"""Largest number of points that decide whether a bound is finite."""


def randomised(model: Model, generator: torch.Generator, trial: int = 0, width: float = 1.0) -> Model:
    """A copy in float64 with random parameters, far from those that the model has.

    Every tensor gets noise as large as itself (0.3 where it is zero) and a factor between a half and two. A smaller
    `width` reduces both. Tensors that move entry by entry change their signs from trial to trial, as their meaning may
    depend on the sign. The first replica belongs to `trial`.
    """
    copied = copy.deepcopy(model).double()
    by_entry = {direction.parameter for direction in model.directions() if direction.entry is not None}
    with torch.no_grad():
        for name, parameter in copied.learned().items():
            flat = parameter.flatten(1)
            size = flat.square().mean(1).sqrt()
            size = torch.where(size > 0, size, torch.full_like(size, 0.3))
            noise = torch.randn(flat.shape, generator=generator, dtype=torch.float64).to(flat.device)
            power = torch.rand(len(flat), 1, generator=generator, dtype=torch.float64).to(flat.device) - 0.5
            drawn = (flat + width * size[:, None] * noise) * 4 ** (width * power)
            if name in by_entry:
                places = torch.arange(trial, trial + len(flat))[:, None] + torch.arange(flat.shape[1])
                drawn = drawn.abs() * (1 - 2 * (places % 2)).to(flat.device)
            parameter.copy_(drawn.reshape(parameter.shape))
        copied.constrain()
    return copied


@dataclass(frozen=True)
class Certificate:
    r"""The verdict on a model, factor by factor and in total.

    Attributes:
        factors: names of the factors; the last one is `total`.
        directions: candidate directions.
        coefficients: `(factor, trial, direction)`: $v = \sum_k c_k d_k$. Rows after those of the trials are from places
            far from the start that need other directions.
        residuals: `(factor, trial)`: relative residuals on minibatches that were not fitted.
        equations: minibatches that are fitted per trial.
        norms: `(factor, trial)`: ‖v‖ in units of the parameters. Columns after those of the trials are from places far
            from the start, of the part of v that depends on the parameters; NaN where there is no such part.
        distinct: number of distinct data points, counted no further than the number of directions.
        places: number of parameter values far from the start at which the ELBO was finite.
        exceptions: factor → such a place where its gap is no derivative of the ELBO.

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
    norms: np.ndarray
    distinct: int
    places: int = 0
    exceptions: Mapping[str, str] = field(default_factory=dict)

    @property
    def trials(self) -> int:
        """Number of random parameter values that were tried near the start."""
        return self.residuals.shape[1]

    def residual(self, factor: str = TOTAL) -> float:
        """Largest relative residual of all trials; NaN where the data are too few to tell."""
        return float(self.residuals[self.factors.index(factor)].max())

    def holds(self, factor: str = TOTAL) -> bool:
        """Whether the gap of the factor is v·∇F at all parameter values that were tried."""
        return self.residual(factor) < THRESHOLD and factor not in self.exceptions

    def verdict(self, factor: str = TOTAL) -> str:
        """The verdict on a factor in words."""
        if math.isnan(self.residual(factor)):
            return "cannot be told"
        if not self.holds(factor):
            return "does not hold everywhere" if factor in self.exceptions else "does not hold"
        few = " on these data" if self.distinct < len(self.directions) else ""
        varying = " where v is finite" if np.isnan(self.constants[self.factors.index(factor)]).any() else ""
        return f"holds{few}{varying}"

    def norm(self, factor: str = TOTAL) -> tuple[float, float]:
        """Smallest and largest ‖v‖, in units of the parameters; NaN where there is no v.

        Over all trials, and over the places far from the start where v depends on the parameters: it may become long.
        """
        if not self.residual(factor) < THRESHOLD:
            return math.nan, math.nan
        norms = self.norms[self.factors.index(factor)]
        return float(norms[: self.trials].min()), float(np.nanmax(norms))

    @property
    def held(self) -> np.ndarray:
        """Whether each factor has a certificate, `(factor,)` without the total."""
        return np.array([self.holds(name) for name in self.factors[:-1]])

    @cached_property
    def constants(self) -> np.ndarray:
        """Coefficients `(factor, direction)` where they are the same at all parameter values, else NaN."""
        middle = np.median(self.coefficients, axis=1)
        constant = np.abs(self.coefficients - middle[:, None]).max(axis=1) < CONSTANT
        return np.where(constant, rationals(middle), np.nan)

    @property
    def known(self) -> Known:
        """The directions that were found, to be tried at other parameters."""
        held = np.array([self.holds(name) for name in self.factors])
        return Known(self.constants, (self.coefficients != 0).any(axis=1), held)

    def direction_of(self, factor: str = TOTAL) -> str:
        """The direction in words, with c(Θ) for coefficients that depend on the parameters, or why there is none."""
        position = self.factors.index(factor)
        if math.isnan(self.residual(factor)):
            return (
                f"not told: {len(self.directions)} directions fit any function of so few distinct data points, or of "
                "the little that the model sees of them"
            )
        if not self.residual(factor) < THRESHOLD:
            failing = [name for name in self.factors[:-1] if not self.holds(name)]
            where = f" of {', '.join(failing)}" if factor == TOTAL and failing else ""
            return f"no direction{where}"
        terms = _joined(self.directions, self.constants[position].tolist())
        words = ", ".join(f"{_number(c)} · {place}" for place, c in terms if c) or "0"
        return f"{words}, but not at {self.exceptions[factor]}" if factor in self.exceptions else words

    def along(self, model: Model, data: Tensor) -> np.ndarray:
        """v·∇F of each factor in nats, `(replica, factor)`, from the gradients of the ELBO that the model holds.

        NaN for factors without a certificate. Coefficients that depend on the parameters are searched for anew; NaN
        where that search finds no direction at these parameters.

        Args:
            data: `(N, D)`.
        """
        gradients = {
            name: torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            for name, parameter in model.learned().items()
        }
        return self._products(model, gradients, data)

    def along_parameters(self, model: Model, data: Tensor) -> np.ndarray:
        """v·θ of each factor, `(replica, factor)`.

        The gap of the factor at a stationary point with weight decay λ is λ v·θ, in nats: ∇F is there the gradient λθ
        of the penalty. NaN for factors without a certificate.

        Args:
            data: `(N, D)`.
        """
        return self._products(model, {name: parameter.detach() for name, parameter in model.learned().items()}, data)

    def residuals_at(self, model: Model, data: Tensor) -> np.ndarray:
        """Fresh relative residual of each factor at the parameters of a model, in float64, `(replica, factor)`.

        A residual of `THRESHOLD` or more says that the gap is no derivative of the ELBO there. NaN for factors without
        a certificate, and where the ELBO is not finite.

        Args:
            data: `(N, D)`.
        """
        return self._at(model, data)[1][:, :-1]

    def _at(self, model: Model, data: Tensor) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients `(replica, factor, direction)` at the parameters of a model, and their residuals."""
        exact, generator = copy.deepcopy(model).double(), torch.Generator().manual_seed(0)
        found = found_at(self.known, exact, data.double(), generator)
        return found.coefficients, found.residuals

    def _products(self, model: Model, vectors: Mapping[str, Tensor], data: Tensor) -> np.ndarray:
        """Products of v with a vector that has an entry for every learned parameter."""
        coefficients = np.broadcast_to(self.constants[:-1], (model.replicas, *self.constants[:-1].shape))
        if (varying := np.isnan(self.constants[:-1]).any(1) & self.held).any():
            found, residuals = self._at(model, data)
            found[~(residuals < THRESHOLD)] = np.nan
            coefficients = np.where(varying[:, None], found[:, :-1], coefficients)
        doubles = {name: vector.double() for name, vector in vectors.items()}
        along = projections(self.directions, model, doubles).cpu().numpy()
        products = np.einsum("rfd,rd->rf", coefficients, along)
        return np.where(self.held, products, np.nan)


def certify(model: Model, data: Tensor, seed: int = 0, trials: int = 5, reach: bool = False) -> Certificate:
    """Search for a certificate at random parameters far apart, each with random minibatches.

    Args:
        model: model whose replicas are tried side by side; it stays unchanged.
        data: `(N, D)`.
        trials: number of parameter values.
        reach: whether the directions are also tried at parameter values that are orders of magnitude away.

    Raises:
        ValueError: the ELBO of these data is not finite, even near the parameters of the model; the model cannot be
            copied and packed; its bound has other factors than the model names.

    Example:
        >>> from entropy_sums.models import MODELS, build
        >>> model = build([MODELS["linear_vae"]()], 3, [torch.Generator().manual_seed(0)])
        >>> certify(model, torch.randn(50, 3, generator=torch.Generator().manual_seed(1))).direction_of("observation")
        '-1 · shift of decoder.spread'
    """
    generator, elsewhere = (torch.Generator().manual_seed(number) for number in (seed, seed + 1))
    points = data.double()
    packing.check(model, lambda copied: _finite(copied, 0, points, elsewhere)[0], points, elsewhere)
    rounds = math.ceil(trials / model.replicas)
    solutions = [s for turn in range(rounds) for s in _tried(model, turn * model.replicas, points, generator)][:trials]
    coefficients = np.stack([solution.coefficients for solution in solutions], axis=1)
    residuals = np.stack([solution.residuals for solution in solutions], axis=1)
    systems = [solution.system for solution in solutions]
    if not any(solution.by_chance for solution in solutions):
        varying = (np.ptp(coefficients[:-1], axis=1) >= CONSTANT).any(1) & (residuals[:-1] < THRESHOLD).all(1)
        for factor in np.flatnonzero(np.isnan(residuals[:-1]).any(1) | varying).tolist():
            if (common := _common(systems, factor)) is not None:
                coefficients[factor] = common
                residuals[factor] = [system.residual(factor, common) for system in systems]
        if (residuals[:-1] < THRESHOLD).all():
            coefficients[-1] = coefficients[:-1].sum(0)
            residuals[-1] = [s.residual(-1, total) for s, total in zip(systems, coefficients[-1], strict=True)]
    norms = np.stack(
        [norms_of(found, s.products) for s, found in zip(solutions, coefficients.swapaxes(0, 1), strict=True)], axis=1
    )
    directions = tuple(model.directions())
    distinct = _distinct(points, len(directions))
    factors = (*model.factors, TOTAL)
    near = Certificate(factors, directions, coefficients, residuals, systems[0].fitted, norms, distinct)
    return _reaching(near, model, points, elsewhere) if reach else near


def _reaching(near: Certificate, model: Model, points: Tensor, generator: torch.Generator) -> Certificate:
    """The certificate with what its directions give at places far from the start."""
    if not near.known.held.any():
        return near
    _, width = _finite(model, 0, points, generator)
    base = chosen(randomised(model, generator, width=width), torch.tensor([0]))
    places = far(base, generator)
    found = known_at(near.known, places.model, points, generator)
    judged = ~np.isnan(found.residuals).all(1)
    exceptions: dict[str, str] = {}
    further: list[np.ndarray] = []
    for place in map(int, np.argsort(-np.nan_to_num(found.residuals).max(1), kind="stable")):
        failing = near.known.held & (found.residuals[place] >= THRESHOLD)
        unsaid = [f for f in np.flatnonzero(failing) if near.factors[f] not in exceptions]
        if not unsaid:
            continue
        # Another direction may be right there
        again = found_at(near.known, chosen(places.model, torch.tensor([place])), points, generator)
        for factor in unsaid:
            if again.residuals[0, factor] >= THRESHOLD:
                exceptions[near.factors[factor]] = places.words[place]
        further += [again.coefficients[0]] * bool((again.residuals[0, unsaid] < THRESHOLD).all())
    if exceptions:
        # The total is right only where all of its factors are
        exceptions.setdefault(TOTAL, next(iter(exceptions.values())))
    coefficients = np.concatenate([near.coefficients, *(c[:, None] for c in further)], axis=1)
    norms = np.concatenate([near.norms, _lengths(near.known, places.model, found)], axis=1)
    return replace(near, coefficients=coefficients, norms=norms, places=int(judged.sum()), exceptions=exceptions)


def _lengths(known: Known, places: Model, found: Found) -> np.ndarray:
    """Norms of the part of v that depends on the parameters, at places where it fits, `(factor, place)`."""
    parts = np.where(known.varying & (found.residuals < THRESHOLD)[:, :, None], found.coefficients, 0)
    lengths = np.full(parts.shape[:2], np.nan)
    for place in np.flatnonzero(parts.any((1, 2))).tolist():
        products = inner_products(places.directions(), chosen(places, torch.tensor([place])))
        lengths[place] = norms_of(parts[place], products)
    return np.where(known.varying.any(1), lengths, np.nan).T


def _distinct(points: Tensor, enough: int) -> int:
    """Number of distinct points, counted until there are enough."""
    number = enough
    while True:
        found = len(torch.unique(points[:number], dim=0))
        if found >= enough or number >= len(points):
            return min(found, enough)
        number *= 2


def _finite(model: Model, trial: int, points: Tensor, generator: torch.Generator) -> tuple[Model, float]:
    """Random parameters at which the bound of some points is finite, as far apart as possible, and their width."""
    x = points[:: max(1, len(points) // MOST_POINTS)][:MOST_POINTS]
    for halvings in range(MOST_HALVINGS):
        scattered = randomised(model, generator, trial, width=0.5**halvings)
        noise = torch.randn(model.replicas, len(x), model.noise_dim, generator=generator, dtype=torch.float64)
        with torch.no_grad():
            if scattered.bound(x, noise.to(x.device)).gap.isfinite().all():
                return scattered, 0.5**halvings
    raise _not_finite(points)


def _common(systems: Sequence[System], factor: int) -> np.ndarray | None:
    """Direction with small rational coefficients at all parameter values alike, which does not arise by chance."""
    a = np.vstack([system.a[: system.fitted] for system in systems])
    b = np.concatenate([system.b[: system.fitted, factor] for system in systems])
    found, *_ = np.linalg.lstsq(a, b, rcond=RANK)
    found = sparsest(a, b, found, nullspace(a))
    held = rational(found) and all(system.residual(factor, found) < THRESHOLD for system in systems)
    return found if held else None


def _not_finite(points: Tensor) -> ValueError:
    return ValueError(
        "the ELBO of these data is not finite, even near the parameters at the start, so that no training could begin: "
        f"the largest absolute value is {points.abs().max().item():.3g}; bring the points to a scale of one before, as "
        "scale: standardise of the dataset array does for real numbers"
    )


def _tried(model: Model, trial: int, points: Tensor, generator: torch.Generator) -> list[Solution]:
    """Solutions at random parameters of all replicas, as far apart as numbers stay finite."""
    for halvings in range(MOST_HALVINGS):
        scattered = randomised(model, generator, trial, width=0.5**halvings)
        with suppress(FloatingPointError):
            return [solve(scattered, replica, points, generator) for replica in range(model.replicas)]
    raise _not_finite(points)


def _joined(candidates: Sequence[Direction], coefficients: Sequence[float]) -> Iterator[tuple[str, float]]:
    """Terms of a direction; entries of one vector with the same coefficient are joined to one shift."""
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
