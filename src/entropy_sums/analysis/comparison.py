"""Comparison of two sets of runs: differences by seed, a margin for agreement, and verdicts over many rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy import stats

from entropy_sums.analysis import statistics
from entropy_sums.quantities import NATS

LEAST = 3
"""Least number of pairs, or of runs on either side, for a test."""

ROUNDING = 1e-3
"""Share of the margin up to which the same run of two studies differs by rounding."""

AGREES, DIFFERS, TOO_FEW = "agrees", "differs", "too few runs to tell"


class Margins(NamedTuple):
    """Largest difference that counts as agreement: the larger of a share of the value and a number of nats.

    Attributes:
        relative: share of the absolute median of the reference.
        per_dimension: nats per data dimension, for quantities in nats per data point; of a quantity in percent, a
            hundred times as many percentage points.
    """

    relative: float = 0.01
    per_dimension: float = 0.001

    def of(self, unit: str, value: float, dimensions: float) -> float:
        """The margin of a quantity, in its unit.

        Example:
            >>> round(Margins().of("nats per data point", -300.0, 784), 3), Margins().of("percent", 0.2, 784)
            (3.0, 0.1)
        """
        floors = {NATS: self.per_dimension * dimensions, "percent": 100 * self.per_dimension}
        return max(self.relative * abs(value), floors.get(unit, 0.0))


class Difference(NamedTuple):
    """Difference of found and kept runs.

    Attributes:
        runs: number of pairs or runs, in words.
        mean: mean difference, found minus kept.
        low, high: its 95 % interval by Student's t; NaN without a test.
        zero: p value of the hypothesis that the mean difference is zero; NaN without a test.
        beyond: p value of the hypothesis that it is the margin or more in either direction; NaN without a test.
        same: whether the runs have the same seeds and, up to rounding, the same values.
    """

    runs: str
    mean: float
    low: float
    high: float
    zero: float
    beyond: float
    same: bool


def difference(kept: Mapping[str, float], found: Mapping[str, float], margin: float) -> Difference:
    r"""Compare runs, given as seed → value, all finite and at least one on each side.

    If one side has all seeds of the other, runs are compared in pairs of the same seed; otherwise the means of all runs
    are compared (Welch). Agreement within the margin is tested by two one-sided tests. All tests are by Student's t.

    Source: Schuirmann, J. Pharmacokinetics and Biopharmaceutics 15 (1987), on two one-sided tests.

    Example:
        >>> kept = {"0": -7.0, "1": -7.2, "2": -6.9}
        >>> difference(kept, kept, 0.07).same, difference(kept, {"1": -7.2}, 0.07).runs
        (True, '1 of 3 pairs')
        >>> shifted = difference(kept, {seed: value + 0.5 for seed, value in kept.items()}, 0.07)
        >>> round(shifted.mean, 9), shifted.zero < 1e-9, shifted.beyond > 0.5
        (0.5, True, True)
    """
    if kept.keys() <= found.keys() or found.keys() <= kept.keys():
        changes = np.array([found[seed] - kept[seed] for seed in kept if seed in found])
        most = max(len(kept), len(found))
        runs = f"{changes.size} pair{'s' * (most > 1)}" if changes.size == most else f"{changes.size} of {most} pairs"
        same = bool((abs(changes) <= ROUNDING * margin).all())
        squares, degrees, enough = _squared_error(changes), changes.size - 1.0, changes.size >= LEAST
        mean = changes.mean().item()
    else:
        sides = [np.array(list(side.values())) for side in (found, kept)]
        runs, same = f"{sides[1].size} and {sides[0].size} runs", False
        mean = sides[0].mean().item() - sides[1].mean().item()
        errors = [_squared_error(side) for side in sides]
        squares, enough = sum(errors), min(side.size for side in sides) >= LEAST
        parts = sum(error**2 / (side.size - 1) for error, side in zip(errors, sides, strict=True) if error)
        degrees = squares**2 / parts if parts else sum(side.size - 1.0 for side in sides)
    if not enough:
        return Difference(runs, mean, np.nan, np.nan, np.nan, np.nan, same)
    error = squares**0.5
    half = stats.t.ppf((1 + statistics.LEVEL) / 2, degrees).item() * error
    zero, beyond = 2 * _beyond(abs(mean), error, degrees), _beyond(margin - abs(mean), error, degrees)
    return Difference(runs, mean, mean - half, mean + half, zero, beyond, same)


def _squared_error(values: np.ndarray) -> float:
    """Squared standard error of the mean of values; zero of a single one, which no test uses."""
    return values.var(ddof=1).item() / values.size if values.size > 1 else 0.0


def _beyond(distance: float, error: float, degrees: float) -> float:
    """Probability that Student's t is at least a distance over its standard error; half for a distance of zero."""
    if error == 0:
        return 0.0 if distance > 0 else 0.5 if distance == 0 else 1.0
    return stats.t.sf(distance / error, degrees).item()


def verdicts(differences: Sequence[Difference]) -> list[str]:
    """A verdict for each difference of a table; over all of them, each kind is wrong with a probability of at most 5 %.

    - Equal runs agree, however few there are: a run is a function of its seed, so that equal numbers are no chance.
    - Otherwise runs agree if the mean difference is shown to be less than the margin.
    - Otherwise they differ if it is shown not to be zero.
    - Otherwise there are too few runs to tell.

    "Shown" is at the 5 % level over all differences that are not equal, by Holm's correction.

    Example:
        >>> kept = {str(seed): float(seed % 3) for seed in range(8)}
        >>> far = {seed: value + 9 + 0.1 * int(seed) for seed, value in kept.items()}
        >>> other = {f"other {seed}": value for seed, value in kept.items()}
        >>> verdicts([difference(kept, each, 0.1) for each in (kept, far, other)])
        ['agrees', 'differs', 'too few runs to tell']
    """
    open_ = [not each.same for each in differences]
    within = _holm([each.beyond for each in differences], open_)
    apart = _holm([each.zero for each in differences], open_)
    return [
        AGREES if each.same or agrees else DIFFERS if differs else TOO_FEW
        for each, agrees, differs in zip(differences, within, apart, strict=True)
    ]


def count_tests(differences: Sequence[Difference]) -> int:
    """Count the differences that `verdicts` tests.

    Example:
        >>> count_tests([difference({"0": 1.0}, {"0": 2.0}, 0.1)])
        0
    """
    return sum(not each.same and each.zero == each.zero for each in differences)


def _holm(p_values: Sequence[float], used: Sequence[bool]) -> list[bool]:
    """Whether each hypothesis is rejected at the 5 % level over all that are used and have a p value.

    Example:
        >>> _holm([0.04, 0.01, float("nan"), 0.02], [True, True, True, False])
        [True, True, False, False]
    """
    places = sorted((p, place) for place, p in enumerate(p_values) if used[place] and p == p)
    rejected = [False] * len(p_values)
    for done, (p, place) in enumerate(places):
        if p > (1 - statistics.LEVEL) / (len(places) - done):
            break
        rejected[place] = True
    return rejected
