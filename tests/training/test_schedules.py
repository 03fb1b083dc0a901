"""Schedules go from one to zero; traces are recorded at powers of two, then evenly, always at the end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entropy_sums.training.schedules import SCHEDULES, evaluation_steps
from entropy_sums.training.settings import PhaseSettings


def test_the_schema_knows_all_schedules():
    assert set(PhaseSettings.model_json_schema()["properties"]["schedule"]["enum"]) == set(SCHEDULES)


@pytest.mark.parametrize(("name", "middle", "end"), [("constant", 1, 1), ("linear", 0.5, 0), ("cosine", 0.5, 0)])
def test_values(name, middle, end):
    schedule = SCHEDULES[name]
    assert [schedule(0.0), schedule(0.5), schedule(1.0)] == pytest.approx([1, middle, end])


@given(total=st.integers(1, 500), every=st.integers(1, 100))
def test_evaluation_steps(total, every):
    steps = evaluation_steps(total, every)
    assert steps[0] == 0
    assert steps[-1] == total
    assert steps == sorted(set(steps))
    assert set(range(0, total, every)) <= set(steps)
    early = {step for step in steps if 0 < step < every and step != total}
    assert early == {2**k for k in range(10) if 2**k < min(every, total)}
