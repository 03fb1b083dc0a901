"""Comparison of runs: agreement with scipy's tests, verdicts, false alarms and power by simulation."""

import numpy as np
import pytest
from scipy import stats

from entropy_sums.analysis import comparison
from entropy_sums.analysis.comparison import Margins, difference, verdicts


def numbered(values, first=0):
    return {str(first + place): float(value) for place, value in enumerate(values)}


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_pairs_are_those_of_scipy(rng):
    kept, found = rng.normal(size=(2, 7))
    got = difference(numbered(kept), numbered(found), 0.4)
    want = stats.ttest_rel(found, kept)
    assert got.zero == pytest.approx(want.pvalue)
    assert (got.low, got.high) == pytest.approx(tuple(want.confidence_interval(0.95)))
    sides = [
        stats.ttest_rel(found, kept - edge, alternative=way).pvalue for edge, way in ((0.4, "greater"), (-0.4, "less"))
    ]
    assert got.beyond == pytest.approx(max(sides))


def test_other_seeds_are_compared_as_by_welch(rng):
    kept, found = rng.normal(size=6), 3 * rng.normal(size=9)
    got = difference(numbered(kept), numbered(found, 3), 0.4)
    want = stats.ttest_ind(found, kept, equal_var=False)
    assert got.runs == "6 and 9 runs"
    assert got.zero == pytest.approx(want.pvalue)
    assert (got.low, got.high) == pytest.approx(tuple(want.confidence_interval(0.95)))


def test_what_seeds_differ_in_does_not_count(rng):
    kept = 100 * rng.normal(size=5)
    found = kept + 1 + 0.01 * rng.normal(size=5)
    assert verdicts([difference(numbered(kept), numbered(found), 0.1)]) == ["differs"]
    assert verdicts([difference(numbered(kept), numbered(found, 100), 0.1)]) == ["too few runs to tell"]


@pytest.mark.parametrize("runs", [1, 2, 3])
@pytest.mark.parametrize(("off", "verdict"), [(0.0, "agrees"), (1e-4, "agrees"), (1e-2, None)])
def test_equal_up_to_rounding_is_agreement_of_any_number_of_runs(runs, off, verdict):
    kept = numbered(range(runs))
    found = {seed: value + off for seed, value in kept.items()}
    (said,) = verdicts([difference(kept, found, 1.0)])
    assert said == (verdict or ("agrees" if runs >= comparison.LEAST else "too few runs to tell"))
    assert verdicts([difference(kept, {f"other {seed}": value for seed, value in kept.items()}, 0.0)]) != ["agrees"]


def test_without_a_margin_equal_runs_agree():
    assert verdicts([difference(numbered([1, 2]), numbered([1, 2]), 0.0)]) == ["agrees"]


def test_constant_runs_need_no_error():
    assert verdicts([difference(numbered([1] * 3), numbered([2] * 4, 10), 0.1)]) == ["differs"]
    assert verdicts([difference(numbered([1] * 3), numbered([1] * 4, 10), 0.1)]) == ["agrees"]
    assert verdicts([difference(numbered([1] * 3), numbered([1] * 4, 10), 0.0)]) == ["too few runs to tell"]


def test_more_rows_ask_for_more(rng):
    spread = stats.norm.ppf((np.arange(8) + 0.5) / 8)
    kept, found = numbered(spread), numbered(spread + 1.3, 10)
    row = difference(kept, found, 0.01)
    assert 0.001 < row.zero < 0.05
    chance = [difference(kept, numbered(rng.normal(size=8), 10), 0.01) for _ in range(49)]
    assert verdicts([row]) == ["differs"]
    assert verdicts([row, *chance])[0] == "too few runs to tell"
    # Equal rows need no test
    assert verdicts([row, *[difference(kept, kept, 0.01)] * 49])[0] == "differs"


def test_holm_by_hand():
    assert comparison._holm([0.03, 0.01, 0.02], [True] * 3) == [True, True, True]
    assert comparison._holm([0.03, 0.02, 0.02], [True] * 3) == [False] * 3


def share(verdict, draw, runs, rows, shift=0.0, margin=0.1, trials=400):
    rng, hits = np.random.default_rng((runs, rows)), 0
    for _ in range(trials):
        kept, found = draw(rng, (2, rows, runs))
        found[0] += shift
        said = verdicts([difference(numbered(a), numbered(b, 100), margin) for a, b in zip(kept, found, strict=True)])
        hits += verdict in (said[:1] if shift else said)
    return hits / trials


@pytest.mark.parametrize("rows", [1, 20])
@pytest.mark.parametrize("runs", [3, 8])
@pytest.mark.parametrize("draw", [np.random.Generator.standard_normal, lambda rng, shape: rng.standard_t(2, shape)])
def test_false_alarms_are_as_rare_as_is_said(draw, runs, rows):
    """Disjoint ranges of three runs: 10 % of one row. The standard error of 400 trials is 1.1 %."""
    assert share("differs", draw, runs, rows) < 0.09


def test_a_shift_is_noticed_and_an_agreement_is_earned():
    normal = np.random.Generator.standard_normal
    assert share("differs", normal, 8, 1, shift=2.0) > 0.9
    assert share("agrees", normal, 8, 1, margin=3.0) > 0.95
    # Moved by the margin, runs are said to agree in 5 % of the trials at most
    assert share("agrees", normal, 8, 1, shift=1.5, margin=1.5) < 0.09


def test_margins():
    margins = Margins(0.01, 0.001)
    assert margins.of("nats per data point", -0.001, 10) == pytest.approx(0.01)
    assert margins.of("nats per data point", -300.0, 10) == pytest.approx(3.0)
    assert margins.of("percent", 0.2, 10) == pytest.approx(0.1)
    assert margins.of("nats per batch", 300.0, 10) == pytest.approx(3.0)
