"""Coverage of the intervals over runs, and false alarms and power of `entropy-sums compare`, by simulation.

`python bench/coverage.py --write` writes coverage.md, in about two minutes; `--quick` is a smoke run.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from pathlib import Path

import numpy as np
import xarray as xr
from scipy import stats

from entropy_sums.analysis import comparison, powers, statistics

RESULTS = Path(__file__).with_name("coverage.md")
Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def modes(place: float) -> Draw:
    """Draws from two normals of standard deviation one at ± `place`."""
    return lambda rng, shape: place * rng.choice([-1, 1], shape) + rng.standard_normal(shape)


DISTRIBUTIONS: dict[str, Draw] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "t, 3 degrees": lambda rng, shape: rng.standard_t(3, shape),
    "t, 2 degrees": lambda rng, shape: rng.standard_t(2, shape),
    "Cauchy": lambda rng, shape: rng.standard_cauchy(shape),
    "exponential": lambda rng, shape: rng.exponential(size=shape) - np.log(2),
    "modes at ± 2": modes(2),
    "modes at ± 3": modes(3),
    "modes at ± 5": modes(5),
}
"""Name → draws with median 0."""

RUNS = (5, 6, 7, 8, 10, 12, 20, 50)


def ours(samples: np.ndarray) -> np.ndarray:
    """Limits of `statistics.interval` of each row."""
    found = statistics.interval(xr.DataArray(samples, dims=("trial", "seed")))
    return np.stack([found["low"], found["high"]])


def student(samples: np.ndarray) -> np.ndarray:
    """Limits of `statistics.interval_of_mean` of each row."""
    found = statistics.interval_of_mean(xr.DataArray(samples, dims=("trial", "seed")))
    return np.stack([found["low"], found["high"]])


def bootstrap(samples: np.ndarray) -> np.ndarray:
    """Percentile bootstrap of the median of each row."""
    resampled = stats.bootstrap((samples,), np.median, n_resamples=999, method="percentile", axis=-1, rng=0)
    return np.stack(resampled.confidence_interval)


def interpolated(samples: np.ndarray) -> np.ndarray:
    """Interpolated order statistics (Hettmansperger and Sheather 1986) of each row."""
    return np.array([stats.mstats.median_cihs(row) for row in samples]).T


def covered(limits: Callable[[np.ndarray], np.ndarray], draw: Draw, runs: int, trials: int) -> str:
    """Share of trials in which the limits hold zero, in percent."""
    low, high = limits(draw(np.random.default_rng(runs), (trials, runs)))
    return f"{100 * np.mean((low <= 0) & (high >= 0)):.1f}"


def coverage(trials: int) -> Iterator[Sequence[str]]:
    """A row per distribution: coverage of the interval of the median for each number of runs."""
    for name, draw in DISTRIBUTIONS.items():
        yield name, *(covered(ours, draw, runs, trials) for runs in RUNS)


def others(trials: int) -> Iterator[Sequence[str]]:
    """A row per other interval and distribution."""
    kinds = {"percentile bootstrap": bootstrap, "interpolated order statistics": interpolated}
    for (kind, limits), name in product(kinds.items(), ("normal", "modes at ± 2", "modes at ± 5")):
        yield kind, name, *(covered(limits, DISTRIBUTIONS[name], runs, trials // 4) for runs in (6, 7, 8, 10, 20))
    for name in ("normal", "t, 3 degrees", "modes at ± 2"):
        yield "mean, Student's t", name, *(covered(student, DISTRIBUTIONS[name], r, trials) for r in (6, 7, 8, 10, 20))


def law(runs: int, seed: int) -> bool:
    """Whether the interval of an exponent holds it: runs whose x and y both scatter about a law of power one."""
    rng, x = np.random.default_rng((runs, seed)), np.geomspace(0.1, 10, 15)
    shake = np.exp(0.3 * rng.standard_normal((2, runs, x.size)))
    measured = (powers.Measured(xr.DataArray(x * each, dims=("seed", "step"))) for each in shake)
    found = powers.law(*measured)
    return bool(found["low"] <= 1 <= found["high"])


def exponents(trials: int) -> Iterator[Sequence[str]]:
    """A row: coverage of the interval of an exponent for each number of runs."""
    sizes = (5, 6, 8, 12)
    yield "exponent", *(f"{100 * np.mean([law(n, seed) for seed in range(trials // 40)]):.0f}" for n in sizes)


def verdicts(
    draw: Draw, runs: int, rows: int, paired: bool, shift: float, margin: float, rng: np.random.Generator
) -> list[str]:
    """Verdicts of one comparison: fresh numbers of all runs, the first row moved by `shift`."""
    numbers = draw(rng, (rows, 2, runs))
    numbers[0, 1] += shift
    seeds = [range(runs), range(runs) if paired else range(runs, 2 * runs)]
    sides = [[dict(zip(map(str, s), row, strict=True)) for s, row in zip(seeds, both, strict=True)] for both in numbers]
    return comparison.verdicts([comparison.difference(*both, margin) for both in sides])


def alarms(trials: int) -> Iterator[Sequence[str]]:
    """A row per number of runs and of rows: false alarms, power."""
    for runs, rows in product((3, 5, 8), (1, 20)):
        number = trials // (4 if rows == 1 else 16)
        for paired in (True, False):
            cells = []
            for name, shift in (("normal", 0), ("t, 2 degrees", 0), ("modes at ± 3", 0), ("normal", 1), ("normal", 2)):
                rng = np.random.default_rng((runs, rows))
                said = [verdicts(DISTRIBUTIONS[name], runs, rows, paired, shift, 0.1, rng) for _ in range(number)]
                alarm = [comparison.DIFFERS in (each[:1] if shift else each) for each in said]
                cells.append(f"{100 * np.mean(alarm):.1f}")
            yield str(runs), str(rows), "same" if paired else "other", *cells


def before(trials: int) -> Iterator[Sequence[str]]:
    """A row per number of runs: how often 95 % bootstrap intervals are disjoint, for normal runs moved by a shift."""
    for runs in (3, 8):
        cells = []
        for shift in (0, 1, 2):
            sides = np.random.default_rng(runs).standard_normal((2, trials, runs))
            (low, high), (other_low, other_high) = bootstrap(sides[0]), bootstrap(sides[1] + shift)
            cells.append(f"{100 * np.mean((high < other_low) | (other_high < low)):.1f}")
        yield str(runs), *cells


def agreement(trials: int) -> Iterator[Sequence[str]]:
    """A row per number of runs: how often unchanged normal runs with fresh numbers are said to agree, by margin."""
    for runs in (3, 8):
        cells = []
        for margin in (0.5, 1, 2, 4):
            rng = np.random.default_rng(runs)
            said = [verdicts(DISTRIBUTIONS["normal"], runs, 1, False, 0, margin, rng)[0] for _ in range(trials // 4)]
            cells.append(f"{100 * np.mean([each == comparison.AGREES for each in said]):.0f}")
        yield str(runs), *cells


def table(head: Sequence[str], rows: Iterator[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def page(trials: int) -> str:
    """The tables, with the number of trials of the first."""
    error = 100 * (0.95 * 0.05 / trials) ** 0.5
    return f"""# Intervals and comparisons by simulation

Written by `python bench/coverage.py --write`, with fixed random numbers. All numbers are percentages. The standard
error of a coverage in the first table is {error:.1f}.

## Coverage of the 95 % interval of the median

{table(("runs", *map(str, RUNS)), coverage(trials))}
No finite interval of five runs covers more than 93.75 % where two modes are far apart: with that probability, not all
five runs are on one side of the median.

## Other intervals

The percentile bootstrap was used before. Interpolation between order statistics depends on the density at the median,
which is low between two modes. Means (`gap_decomposition`) have intervals by Student's t.

{table(("interval", "distribution", *map(str, (6, 7, 8, 10, 20))), others(trials))}
Exponents of power laws (`convergence`, `gap_scaling`), by the number of runs:

{table(("", "5", "6", "8", "12"), exponents(trials))}
## False alarms and power of `entropy-sums compare`

Two sets of runs with independent numbers, whether seeds are the same (paired) or not; a tenth of a standard deviation
is the margin. First, how often at least one row is said to differ although none has changed; then how often one row is
said to differ that has moved by one or two standard deviations, beside unchanged ones.

{table(("runs", "rows", "seeds", "normal", "t, 2 degrees", "modes at ± 3", "moved by 1", "moved by 2"), alarms(trials))}
Three runs in two modes can lie in one mode each, by chance. Tests of so few runs assume that they scatter normally, and
`compare` says so below a table with fewer than five runs.

The rule of earlier versions, disjoint 95 % bootstrap intervals of the median, one row:

{table(("runs", "unchanged", "moved by 1", "moved by 2"), before(trials))}
How often unchanged runs of other seeds are said to agree, by the margin in standard deviations of the runs, one row:

{table(("runs", "0.5", "1", "2", "4"), agreement(trials))}"""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few trials")
    parser.add_argument("--write", action="store_true", help="write coverage.md")
    options = parser.parse_args()
    powers.RESAMPLES = 999
    text = page(40 if options.quick else 4000)
    print(text)
    if options.write:
        RESULTS.write_text(text, encoding="utf-8")
