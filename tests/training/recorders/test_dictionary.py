"""The Gini coefficient in closed form, and what is recorded of a dictionary."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from entropy_sums.models import MODELS, build
from entropy_sums.training.evaluation import Evaluation
from entropy_sums.training.randomness import Purpose
from entropy_sums.training.recorders.dictionary import Dictionary, gini
from recorded import at_end, subject

pytestmark = pytest.mark.usefixtures("float64")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0, -3.0, 3.0, 3.0], 0),
        ([0.0, 0.0, -7.0, 0.0], 3 / 4),
        ([1.0, 2.0, 3.0, 4.0, 5.0], 4 / 15),
        ([0.0, 0.0, 1.0, -1.0], 1 / 2),
    ],
)
def test_gini_of_few_numbers(values, expected):
    assert gini(torch.tensor(values)).item() == pytest.approx(expected, abs=1e-12)
    assert gini(torch.tensor(values[::-1]) * 5).item() == pytest.approx(expected, abs=1e-12)


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=8).filter(lambda v: np.abs(v).sum() > 1e-3))
def test_gini_is_the_mean_absolute_difference_by_twice_the_mean(values):
    size = np.abs(values)
    difference = np.abs(size[:, None] - size).mean()
    assert gini(torch.tensor(values)).item() == pytest.approx(difference / (2 * size.mean()), abs=1e-9)


@pytest.mark.parametrize(
    ("family", "expected"),
    [(stats.expon(), 1 / 2), (stats.uniform(), 1 / 3), (stats.laplace(), 1 / 2), (stats.halfnorm(), np.sqrt(2) - 1)],
)
def test_gini_of_many_draws_is_that_of_their_distribution(family, expected):
    """At the quantiles of the distribution instead of draws."""
    quantiles = family.ppf((np.arange(100_000) + 0.5) / 100_000)
    assert gini(torch.as_tensor(quantiles)).item() == pytest.approx(expected, abs=1e-3)


def test_record_of_a_dictionary():
    model = build([MODELS["sparse_coding"](latent_dim=4, prior_scale=0.5)] * 2, 3, [torch.Generator()] * 2)
    data = torch.randn(30, 3, generator=torch.Generator().manual_seed(1))
    evaluations = {
        "": Evaluation(data, [0, 1], 2, Purpose.EVALUATION),
        "heldout_": Evaluation(data[:7], [0, 1], 2, Purpose.HELDOUT),
    }
    record = at_end([Dictionary], model, evaluations)
    np.testing.assert_allclose(np.linalg.norm(record["weights"], axis=2), 0.5)
    for name, x in {"gini": data, "heldout_gini": data[:7]}.items():
        np.testing.assert_allclose(record[name], gini(model.posterior(x).mean).mean(1).detach())


def test_nothing_of_a_model_without_a_dictionary():
    model = build([MODELS["vae1"]()], 3, [torch.Generator()])
    assert not Dictionary.applies(subject(model, {"": Evaluation(torch.zeros(2, 3), [0], 2, Purpose.EVALUATION)}))
