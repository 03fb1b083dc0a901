"""Learning rates go from their value to zero, or stay."""

import pytest

from entropy_sums.training.optimizers.schedules import SCHEDULES
from entropy_sums.training.settings import PhaseSettings


def test_the_schema_knows_all_schedules():
    assert set(PhaseSettings.model_json_schema()["properties"]["schedule"]["enum"]) == set(SCHEDULES)


@pytest.mark.parametrize(("name", "middle", "end"), [("constant", 1, 1), ("linear", 0.5, 0), ("cosine", 0.5, 0)])
def test_values(name, middle, end):
    schedule = SCHEDULES[name]
    assert [schedule(0.0), schedule(0.5), schedule(1.0)] == pytest.approx([1, middle, end])
