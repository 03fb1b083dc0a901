"""The golden cell of the default study: its numbers, to 1e-5, from its seed.

In float64: training amplifies the last digit of float32, which differs between processors, to more than that.

A change here is a change of the numbers that users get: raise PROTOCOL in settings.py with it, and say
so in the CHANGELOG. Written anew by `python -m pytest tests/training/test_golden.py --write-golden`.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from entropy_sums.data import load
from entropy_sums.study.grid import Grid
from entropy_sums.study.schema import read
from entropy_sums.training.pack import Pack
from entropy_sums.training.replica import Replica

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).with_name("golden.json")
JOB = "vae1/pca/seed=0-7"
NAMES = ("elbo", "entropy_sum", "heldout_elbo", "posterior_entropy", "entropy", "cross_entropy", "latent_entropy")


@pytest.fixture(scope="module")
def recorded():
    file = ROOT / "config" / "config.yaml"
    run = Grid(read(file), file).find(JOB).runs[0]
    training = run.training.model_copy(update={"precision": "float64"})
    data = load(run.dataset_settings, ROOT / "data")
    trace = Pack([Replica(run.seed, run.model_settings, training)], data.train, data.test).run()
    return trace.steps, trace.arrays()


def test_golden_cell(recorded, request):
    steps, arrays = recorded
    values = {name: arrays[name][:, 0].tolist() for name in NAMES}
    if request.config.getoption("--write-golden"):
        GOLDEN.write_text(json.dumps({"job": JOB, "seed": 0, "steps": steps, "values": values}, indent=1) + "\n")
    assert abs(arrays["gap"][-1, 0]) < 0.01 * abs(arrays["elbo"][-1, 0])
    golden = json.loads(GOLDEN.read_text())
    assert golden["steps"] == steps
    for name in NAMES:
        np.testing.assert_allclose(values[name], golden["values"][name], rtol=1e-5, atol=1e-5, err_msg=name)
