"""Traces are recorded at powers of two, then evenly, always at the end."""

from hypothesis import given
from hypothesis import strategies as st

from entropy_sums.training.schedules import evaluation_steps


@given(total=st.integers(1, 500), every=st.integers(1, 100))
def test_evaluation_steps(total, every):
    steps = evaluation_steps(total, every)
    assert steps[0] == 0
    assert steps[-1] == total
    assert steps == sorted(set(steps))
    assert set(range(0, total, every)) <= set(steps)
    early = {step for step in steps if 0 < step < every and step != total}
    assert early == {2**k for k in range(10) if 2**k < min(every, total)}
