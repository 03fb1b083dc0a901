"""Checks: what is fine passes unchanged, what is not is named with its place."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from entropy_sums.data.checks import (
    Size,
    as_points,
    check_disjoint,
    check_varying,
    in_words,
    is_binary,
    is_counts,
    lost_columns,
    supports,
)

POINTS = arrays(
    np.float32,
    array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=6),
    elements=st.floats(width=32, allow_nan=False, allow_infinity=False),
)


@given(POINTS)
def test_finite_points_pass_unchanged(points):
    np.testing.assert_array_equal(as_points(points, "x"), points)


@given(POINTS, st.data(), st.sampled_from([(np.nan, "NaN or missing"), (np.inf, "infinite"), (-np.inf, "infinite")]))
def test_the_first_bad_value_is_named(points, data, bad):
    value, kind = bad
    row = data.draw(st.integers(0, points.shape[0] - 1))
    column = data.draw(st.integers(0, points.shape[1] - 1))
    points[row, column] = value
    with pytest.raises(ValueError, match=rf"^x: 1 value is {kind}.*row {row}, column {column}; remove or fill it$"):
        as_points(points, "x")


def test_bad_values_are_counted():
    with pytest.raises(ValueError, match=r"3 values are NaN or missing, the first in row 1, column 0.*fill them"):
        as_points(np.array([[0.0, 1.0], [np.nan, np.nan], [2.0, np.nan]]), "x")


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float16, np.float64, ">f8"])
def test_all_real_types_become_native_float32_where_it_holds_them(dtype):
    points = as_points(np.array([[0, 1], [1, 0]]).astype(dtype), "x")
    assert points.dtype == np.dtype("=f4")
    np.testing.assert_array_equal(points, [[0, 1], [1, 0]])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones((2, 2), complex), "complex values"),
        (np.array([["a", "b"], ["c", "d"]]), "type <U1 are not numbers"),
        (np.array([[None, 1], [2, 3]]), "type object are not numbers"),
        (np.zeros((2, 2), "datetime64[s]"), r"datetime64\[s\] are not numbers"),
        (np.ones(3), r"shape \(3,\), but \(points, dimensions\)"),
        (np.ones((2, 2, 2)), r"shape \(2, 2, 2\)"),
        (np.ones(()), r"shape \(\)"),
        (np.ones((0, 3)), r"empty, shape \(0, 3\)"),
        (np.ones((3, 0)), r"empty, shape \(3, 0\)"),
        (np.ones((1, 3)), "only 1 point"),
        (np.array([["1e400"], ["0"]], np.longdouble), "infinite or beyond float64, the first in row 0"),
    ],
)
def test_what_is_not_points_is_named(values, message):
    with pytest.raises(ValueError, match=f"^file.npy: .*{message}"):
        as_points(values, "file.npy")


def test_zero_is_not_positive():
    """Its logarithm is infinite: only exponentials have a density there."""
    points = np.array([[0.5, 0.0]], np.float32)
    assert supports(points) == {"real", "nonnegative"}
    assert supports(points + 1e-30) == {"real", "nonnegative", "positive"}


def test_constant_dimensions_are_named():
    points = np.random.default_rng(0).normal(size=(5, 30)).astype(np.float32)
    check_varying(points, "x")
    points[:, [3, 7]] = 0.25
    with pytest.raises(ValueError, match=r"2 of 30 training dimensions never vary \(columns 3, 7\); set noise"):
        check_varying(points, "x")
    points[:] = 0.25
    with pytest.raises(ValueError, match=r"30 of 30 .*columns 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, …\)"):
        check_varying(points, "x")


def test_shared_points_are_named():
    train = np.random.default_rng(0).normal(size=(6, 3))
    test = np.random.default_rng(1).normal(size=(4, 3))
    check_disjoint(train, test, "x")
    test[2], test[3] = train[4], train[5]
    with pytest.raises(ValueError, match=r"2 training points are also held out, the first as row 4 of train and row 2"):
        check_disjoint(train, test, "x")


def test_binary_data_may_be_constant_and_repeat():
    binary = np.array([[0.0, 1.0], [0.0, 0.0]])
    assert is_binary(binary)
    check_varying(binary, "x")
    check_disjoint(binary, binary, "x")


def test_counts_may_repeat_but_not_be_constant():
    counts = np.array([[0.0, 7.0], [0.0, 3.0]])
    assert is_counts(counts)
    check_disjoint(counts, counts, "x")
    with pytest.raises(ValueError, match="1 of 2 training dimensions never varies"):
        check_varying(counts, "x")
    assert not is_counts(-counts)


RANDOM = np.random.default_rng(0)
SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
NORMAL, UNIFORM = RANDOM.normal(size=400), RANDOM.random(400)


@pytest.mark.parametrize(
    "values",
    [np.array([[0.1, 1.0], [2.0, 3.0]]), np.array([[2**24 + 1, 0], [1, 2]]), np.array([[1e39, 1], [2, 3]])],
)
def test_values_that_single_precision_does_not_hold_are_kept(values):
    points = as_points(values, "x")
    assert points.dtype == DOUBLE
    np.testing.assert_array_equal(points, values)


@pytest.mark.parametrize(
    ("column", "centred"),
    [
        (2459000.5 + 0.2 * NORMAL, True),
        (1.7e9 + 86400 * UNIFORM, True),
        (np.where(NORMAL > 0.8, 1e6, 0) + 0.01 * RANDOM.normal(size=400), False),
        (np.append(1e9, 1e5 + 0.01 * NORMAL), False),
        (np.append(1e39, NORMAL), False),
        (1e300 * NORMAL, False),
        (1e-42 * NORMAL, False),
    ],
    ids=["Julian dates", "seconds of a day", "a cluster far away", "an outlier", "one too large", "large", "small"],
)
def test_columns_that_single_precision_cannot_hold_are_named(column, centred):
    points = np.stack([RANDOM.normal(size=len(column)), column], axis=1)
    (lost,) = lost_columns(points, SINGLE)
    assert (lost.column, lost.distinct, lost.centred) == (1, len(np.unique(column)), centred)
    assert lost_columns(points, DOUBLE) == []
    assert (lost_columns(points - points.mean(axis=0), SINGLE) == []) == centred


@pytest.mark.parametrize(
    "column",
    [
        NORMAL,
        RANDOM.random(200_000),
        RANDOM.standard_cauchy(400),
        np.exp(10 * NORMAL),
        1e3 + NORMAL / 10,
        1.7e9 + 3e7 * UNIFORM,
        1e-30 * NORMAL,
        np.full(20, 2459000.3),
        np.round(5 * NORMAL) / 10 + np.where(UNIFORM < 0.5, 0, 2e-16),
        np.arange(400),
    ],
    ids=["normal", "many", "Cauchy", "log-normal", "offset", "a year", "small", "constant", "sums of 0.1", "integers"],
)
def test_columns_that_lose_little_pass(column):
    assert lost_columns(column[:, None], SINGLE) == []


@pytest.mark.parametrize("dtype", [np.int64, np.uint64, np.longdouble])
def test_long_numbers_that_double_precision_cannot_hold_are_refused(dtype):
    nanoseconds = (1_700_000_000 * 10**9 + np.arange(2000)[:, None]).astype(dtype)
    with pytest.raises(
        ValueError, match=r"^x: float64 cannot hold column 0 of the data, whose 2000 distinct values become"
    ):
        as_points(nanoseconds, "x")
    assert as_points(nanoseconds - nanoseconds[0], "x").dtype == SINGLE
    assert as_points(nanoseconds[:1] + 10**6 * np.arange(2000, dtype=dtype)[:, None], "x").dtype == DOUBLE


def test_several_columns_are_counted_by_the_first():
    days = 2459000.5 + np.arange(40).reshape(20, 2) / 100
    assert (
        in_words(lost_columns(days, SINGLE)) == "columns 0, 1 of the data (of the first, 20 distinct values become 3)"
    )


@pytest.mark.parametrize(
    ("points", "reason"),
    [
        (255 * UNIFORM.reshape(100, 4), r"column \d has a root mean square of 1\d\d"),
        (np.stack([NORMAL, 1e200 * NORMAL], axis=1), r"column 1 has a root mean square of .*e\+199"),
        (1e-3 * NORMAL.reshape(100, 4), r"their root mean square is 0\.0009"),
        (np.zeros((5, 2)), "their root mean square is 0"),
    ],
)
def test_a_scale_far_from_one_is_said(points, reason):
    found = Size.of(points).far_from_one
    assert found is not None
    assert re.fullmatch(reason + ".*", found)


@pytest.mark.parametrize("scale", [0.1, 1, 10])
def test_a_scale_of_about_one_is_none(scale):
    assert Size.of(scale * NORMAL.reshape(100, 4)).far_from_one is None
