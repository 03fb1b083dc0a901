"""Certificates at given parameter values: far from the start, or where training has led."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from entropy_sums.certificates.system import (
    CANCELLING,
    POINTS,
    Equations,
    Solution,
    equations,
    parts_of,
    solve,
)
from entropy_sums.certificates.verdict import THRESHOLD
from entropy_sums.models.model import Model, chosen, copies

SHIFTS = (-24.0, -4.0, 4.0, 24.0)
"""Shifts of every entry of a tensor: 24 is where training would take a standard deviation of 1e-10 or 1e10."""

SCALES = (1e-3, 0.03, 30.0, 1e3)
"""Factors on a tensor."""

SMALLEST_GAP = 1e-3
"""Smallest scale of residuals in nats, so that less than 1e-9 nats are no failure: all of it may be rounding."""

ROUNDING = 1e-13
"""Relative change of parameters that no more than rounding depends on."""

REPEATS = 4
"""Number of such changes."""

JOINT = 8
"""Number of places at which all tensors are moved at once."""


@dataclass(frozen=True)
class Known:
    """Directions that were found near the start.

    Attributes:
        constants: coefficients that are the same everywhere, `(factor, direction)`; NaN for those that depend on Θ.
        support: directions with a coefficient other than zero somewhere, `(factor, direction)`.
        held: whether each factor has a certificate, `(factor,)`; the last one is the total.
    """

    constants: np.ndarray
    support: np.ndarray
    held: np.ndarray

    @property
    def varying(self) -> np.ndarray:
        """Coefficients that depend on the parameters, `(factor, direction)`."""
        return np.isnan(self.constants) & self.support

    @property
    def minibatches(self) -> int:
        """Number of minibatches that determine the coefficients which depend on the parameters, and some more."""
        return 2 * int(self.varying[self.held].sum(1).max(initial=0)) + 4


@dataclass(frozen=True)
class Found:
    """Directions at some places, which are the replicas of a model, and whether they are certificates there.

    Attributes:
        coefficients: `(place, factor, direction)`.
        residuals: relative residuals, `(place, factor)`; NaN without a certificate near the start, and where the ELBO
            is not finite or rounding decides.
    """

    coefficients: np.ndarray
    residuals: np.ndarray


def found_at(known: Known, model: Model, data: Tensor, generator: torch.Generator) -> Found:
    """Directions and their fresh residuals at the parameters of every replica.

    The directions that are known are tried first, with their varying coefficients fitted. Only where they fail, all
    directions are searched. Where these fail, too, but by another distance after a change of the parameters by
    rounding, the residual is NaN: such ill-conditioned parameters tell nothing.

    Args:
        model: model in float64, whose replicas are the places.
        data: `(N, D)` in float64.
    """
    first = known_at(known, model, data, generator)
    for place, residuals in enumerate(first.residuals):
        if (residuals >= THRESHOLD).any() and (other := _solved(model, place, data, generator)) is not None:
            better = (residuals >= THRESHOLD) & (other.residuals < THRESHOLD)
            first.coefficients[place, better] = other.coefficients[better]
            first.residuals[place, better] = other.residuals[better]
        for factor in np.flatnonzero(first.residuals[place] >= THRESHOLD).tolist():
            if not _reproducible(known, copies(model, 1, place), factor, data):
                first.residuals[place, factor] = np.nan
    return first


def _reproducible(known: Known, model: Model, factor: int, data: Tensor) -> bool:
    """Whether the distance of a gap from the derivative is the same at parameters that differ by rounding."""
    distances = []
    for number in range(REPEATS):
        generator = torch.Generator().manual_seed(number)
        jittered = copies(model, known.minibatches)
        with torch.no_grad():
            for tensor in jittered.learned().values():
                noise = torch.randn(tensor[:1].shape, generator=generator, dtype=torch.float64).to(tensor)
                tensor.mul_(1 + ROUNDING * noise)
        own = equations(jittered, data, POINTS, torch.Generator().manual_seed(0))
        coefficients = np.nan_to_num(known.constants[factor])
        _fit(known, own, factor, coefficients)
        distances.append(own.left @ coefficients - own.right[:, factor])
    found = np.stack(distances)
    return bool(np.linalg.norm(found - found.mean(0)) < 0.1 * np.linalg.norm(found))


def known_at(known: Known, model: Model, data: Tensor, generator: torch.Generator) -> Found:
    """The directions that are known, with their varying coefficients fitted at every replica, and their residuals."""
    each, places = known.minibatches, model.replicas
    rows = torch.arange(places).repeat_interleave(each)
    parts = [_rows(model, rows[part], data, generator) for part in parts_of(model, len(rows))]
    every = Equations(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
    shape = (places, *known.constants.shape)
    coefficients, residuals = np.broadcast_to(np.nan_to_num(known.constants), shape).copy(), np.full(shape[:2], np.nan)
    for place, sound in enumerate(every.finite.reshape(places, each).min(1)):
        if sound:
            own = slice(place * each, (place + 1) * each)
            own_equations = Equations(*(array[own] for array in every))
            for factor in np.flatnonzero(known.held).tolist():
                _fit(known, own_equations, factor, coefficients[place, factor])
                residuals[place, factor] = _residual(own_equations, factor, coefficients[place, factor])
    return Found(coefficients, residuals)


def _fit(known: Known, own: Equations, factor: int, coefficients: np.ndarray) -> None:
    """Fit the varying coefficients of a factor in place."""
    varying = known.varying[factor]
    if varying.any():
        rest = own.right[:, factor] - own.left @ coefficients
        columns = own.left[:, varying]
        sizes = np.linalg.norm(columns, axis=0)
        sizes[sizes == 0] = 1
        coefficients[varying] = np.linalg.lstsq(columns / sizes, rest)[0] / sizes


def _residual(own: Equations, factor: int, coefficients: np.ndarray) -> float:
    gaps = own.right[:, factor]
    # Far from the start much cancels, also within a derivative
    cancelling = np.hypot(own.terms[:, factor], own.addends @ np.abs(coefficients))
    scale = max(np.linalg.norm(gaps), CANCELLING * np.linalg.norm(cancelling), SMALLEST_GAP)
    return float(np.linalg.norm(own.left @ coefficients - gaps) / scale)


def _rows(model: Model, rows: Tensor, data: Tensor, generator: torch.Generator) -> Equations:
    """Equations of some replicas; NaN for those whose distributions cannot be formed at such parameters."""
    try:
        return equations(chosen(model, rows), data, POINTS, generator)
    except (ArithmeticError, RuntimeError, ValueError):
        if len(rows) > 1:
            halves = [_rows(model, half, data, generator) for half in rows.tensor_split(2)]
            return Equations(*(np.concatenate(arrays) for arrays in zip(*halves, strict=True)))
        directions, factors = len(model.directions()), len(model.factors) + 1
        return Equations(*(np.full((1, columns), np.nan) for columns in (directions, factors, factors, 1, directions)))


def _solved(model: Model, place: int, data: Tensor, generator: torch.Generator) -> Solution | None:
    try:
        return solve(model, place, data, generator)
    except (ArithmeticError, RuntimeError, ValueError):
        return None


@dataclass(frozen=True)
class Far:
    """Places far from the start.

    Attributes:
        model: model whose replicas are the places.
        words: what was moved at each place, and by how much.
    """

    model: Model
    words: Sequence[str]


def far(model: Model, generator: torch.Generator) -> Far:
    """Places that training may reach, though random parameters near the start do not: floors, clamps, thresholds.

    Every tensor by itself is shifted and scaled by orders of magnitude, in both directions; at `JOINT` places all
    tensors are.

    Args:
        model: model in float64 with one replica, around which the places lie.

    Example:
        >>> from entropy_sums.models import MODELS, build
        >>> model = build([MODELS["linear_vae"]()], 3, [torch.Generator().manual_seed(0)])
        >>> places = far(model, torch.Generator().manual_seed(0))
        >>> len(places.words), places.words[0]
        (56, 'encoder.spread − 24')
    """
    moves = list(_moves(model, generator))
    many = copies(model, len(moves))
    learned = many.learned()
    with torch.no_grad():
        for place, (_, moved) in enumerate(moves):
            for name, move in moved.items():
                learned[name][place] = move(learned[name][place])
        many.constrain()
    return Far(many, [words for words, _ in moves])


Move = Callable[[Tensor], Tensor]


def _moves(model: Model, generator: torch.Generator) -> Iterator[tuple[str, dict[str, Move]]]:
    for name in model.learned():
        for shift in SHIFTS:
            yield f"{name} {'−' if shift < 0 else '+'} {abs(shift):g}", {name: lambda tensor, by=shift: tensor + by}
        for scale in SCALES:
            yield f"{name} × {scale:g}", {name: lambda tensor, by=scale: tensor * by}
    vectors = {name for name, t in model.learned().items() if t[0].numel() == max(t.shape[1:], default=1)}
    for _ in range(JOINT):
        moves: dict[str, Move] = {}
        for name, tensor in model.learned().items():
            scale = 10 ** (2 * torch.rand((), generator=generator, dtype=torch.float64).item() - 1)
            noise = torch.randn(tensor[0].shape, generator=generator, dtype=torch.float64).to(tensor)
            shift = 4 * noise if name in vectors else 0 * noise
            moves[name] = lambda tensor, by=scale, shift=shift: tensor * by + shift
        yield "other values of all parameters", moves
