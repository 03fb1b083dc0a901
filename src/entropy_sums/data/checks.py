"""Checks of data, with errors that name the place and the fix."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from entropy_sums.supports import Support

LARGEST_ROUNDING = 1e-3
"""Largest rounding error of a column, root mean square, in its standard deviations."""

LARGEST_COLLAPSE = 0.1
"""Largest share of the distinct values of a column that rounding may make equal to others."""

COUNTED = 1000
"""Number of values of a column whose distinct values are compared: among more, neighbours become equal by chance."""


def as_points(values: np.ndarray, where: str) -> np.ndarray:
    """The values as an array of shape (points, dimensions), all of them finite.

    Its type is float32 if that holds every value exactly, else float64. `where` names the values in errors.

    Raises:
        ValueError: complex or non-numeric values, a shape that is not (points, dimensions), fewer than 2 points, NaN
            and infinite values, or a column of long integers or long floats that float64 cannot hold.

    Example:
        >>> as_points(np.array([[0, 1], [2, 3]]), "example").dtype
        dtype('float32')
        >>> as_points(np.array([[0.1, 1.0], [0.2, 3.0]]), "example").dtype
        dtype('float64')
        >>> as_points(np.array([[0.0, np.nan], [2.0, 3.0]]), "example")
        Traceback (most recent call last):
        ValueError: example: 1 value is NaN or missing, the first in row 0, column 1; remove or fill it
    """
    values = np.asarray(values)
    if values.dtype.kind == "c":
        raise ValueError(f"{where}: complex values; give real and imaginary parts as separate dimensions")
    if values.dtype.kind not in "biuf":
        raise ValueError(f"{where}: values of type {values.dtype} are not numbers; convert them to float")
    if values.ndim != 2:
        raise ValueError(f"{where}: shape {values.shape}, but (points, dimensions) is needed; reshape the array")
    if values.size == 0:
        raise ValueError(f"{where}: empty, shape {values.shape}")
    if len(values) < 2:
        raise ValueError(f"{where}: only 1 point, but at least 2 are needed")
    with np.errstate(over="ignore"):  # values that overflow are named below
        points = np.ascontiguousarray(values, np.float32 if np.can_cast(values.dtype, np.float32) else np.float64)
    for kind, test in {"NaN or missing": np.isnan, "infinite or beyond float64": np.isinf}.items():
        if len(bad := np.argwhere(test(points))):
            row, column = bad[0]
            count, fix = ("1 value is", "it") if len(bad) == 1 else (f"{len(bad)} values are", "them")
            raise ValueError(f"{where}: {count} {kind}, the first in row {row}, column {column}; remove or fill {fix}")
    if lost := lost_columns(values, np.dtype(np.float64)):
        raise ValueError(f"{where}: float64 cannot hold {in_words(lost)}; subtract its mean in the file")
    return narrowest(points)


def narrowest(points: np.ndarray) -> np.ndarray:
    """The points in float32 if that holds every value exactly, else as they are.

    Example:
        >>> narrowest(np.array([0.5])).dtype, narrowest(np.array([0.1])).dtype
        (dtype('float32'), dtype('float64'))
    """
    with np.errstate(over="ignore"):
        single = points.astype(np.float32, copy=False)
    return single if np.array_equal(single, points) else points


@dataclass(frozen=True)
class LostColumn:
    """A column whose digits a floating point type cannot hold.

    Attributes:
        column: its number, from 0.
        distinct: number of distinct values.
        left: number of distinct values after rounding.
        centred: whether the type can hold the column without its mean.
    """

    column: int
    distinct: int
    left: int
    centred: bool


def lost_columns(points: np.ndarray, dtype: np.dtype) -> list[LostColumn]:
    """Columns of points (N, D) that a floating point type cannot hold.

    These are the columns whose rounding errors have a root mean square of more than 10⁻³ standard deviations, or in
    which more than a tenth of the distinct values of 1000 points become equal to others. Constant columns lose nothing.

    Example:
        >>> days = 2459000.5 + np.arange(20)[:, None] / 100
        >>> lost_columns(days, np.dtype(np.float32))
        [LostColumn(column=0, distinct=20, left=2, centred=True)]
        >>> lost_columns(days, np.dtype(np.float64))
        []
    """
    if np.can_cast(points.dtype, dtype) and points.dtype not in (np.int64, np.uint64):  # which numpy casts with losses
        return []
    wide = np.promote_types(points.dtype, np.float64) if points.dtype.kind == "f" else np.dtype(np.longdouble)
    return [
        LostColumn(
            number,
            len(np.unique(column)),
            len(np.unique(rounded_to(column, dtype))),
            not _is_lost(_centred(column), dtype),
        )
        for number, column in ((c, points[:, c].astype(wide)) for c in range(points.shape[1]))
        if _is_lost(column, dtype)
    ]


def in_words(lost: Sequence[LostColumn]) -> str:
    """Columns that a type cannot hold, in words.

    Example:
        >>> in_words([LostColumn(0, 320, 5, True)])
        'column 0 of the data, whose 320 distinct values become 5'
    """
    first = f"{lost[0].distinct} distinct values become {lost[0].left}"
    if len(lost) == 1:
        return f"column {lost[0].column} of the data, whose {first}"
    shown = ", ".join(str(column.column) for column in lost[:10]) + (", …" if len(lost) > 10 else "")
    return f"columns {shown} of the data (of the first, {first})"


def _centred(column: np.ndarray) -> np.ndarray:
    return column - column.mean()


def _is_lost(column: np.ndarray, dtype: np.dtype) -> bool:
    rounded = rounded_to(column, dtype).astype(column.dtype)
    if column.min() == column.max() or np.array_equal(rounded, column):
        return False
    size = np.abs(column).max()  # squares of large numbers overflow
    error = np.sqrt(np.mean(((column - rounded) / size) ** 2))
    if not error <= LARGEST_ROUNDING * _centred(column / size).std():
        return True
    some = slice(None, None, -(-len(column) // COUNTED))
    # Values that differ in the last digits of double precision are equal but for the rounding of earlier computations
    before = len(np.unique(_shortened(column[some].astype(float))))
    return len(np.unique(rounded[some])) < (1 - LARGEST_COLLAPSE) * before


def rounded_to(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Values in a floating point type, as training in this type sees them: what is too small for all digits is zero.

    Example:
        >>> rounded_to(np.array([0.5, 1e-40]), np.dtype(np.float32))
        array([0.5, 0. ], dtype=float32)
    """
    with np.errstate(over="ignore", under="ignore"):
        rounded = values.astype(dtype, copy=False)
    tiny = np.finfo(dtype).tiny
    small = (rounded > -tiny) & (rounded < tiny) & (rounded != 0)
    return np.where(small, 0, rounded) if small.any() else rounded


def _shortened(values: np.ndarray) -> np.ndarray:
    """The values with 40 of 53 bits, which are 12 digits."""
    mantissa, exponent = np.frexp(values)
    return np.ldexp(np.rint(np.ldexp(mantissa, 40)), exponent - 40)


def is_binary(points: np.ndarray) -> bool:
    """Whether all values are 0 or 1; constant dimensions and repeated points are then expected.

    Example:
        >>> is_binary(np.array([[0.0, 1.0]])), is_binary(np.array([[0.0, 0.5]]))
        (True, False)
    """
    return bool(((points == 0) | (points == 1)).all())


def is_counts(points: np.ndarray) -> bool:
    """Whether all values are 0, 1, 2, …; repeated points are then expected.

    Example:
        >>> is_counts(np.array([[0.0, 7.0]])), is_counts(np.array([[0.0, 0.5]]))
        (True, False)
    """
    return bool(((points >= 0) & (points == points.round())).all())


SUPPORTS: dict[Support, Callable[[np.ndarray], bool]] = {
    "real": lambda points: True,
    "binary": is_binary,
    "counts": is_counts,
    "nonnegative": lambda points: bool((points >= 0).all()),
    "positive": lambda points: bool((points > 0).all()),
}
"""Support → whether all values lie in it."""


def supports(points: np.ndarray) -> frozenset[Support]:
    """Supports that contain all values.

    Example:
        >>> sorted(supports(np.array([[0.5, 1.0]])))
        ['nonnegative', 'positive', 'real']
    """
    return frozenset(support for support, holds in SUPPORTS.items() if holds(points))


FAR_FROM_ONE = 30.0
"""Factor between a scale and one from which on it is far from one."""


@dataclass(frozen=True)
class Size:
    """Size of values, root mean squares.

    Attributes:
        all: of all values.
        column: number of the column in which it is largest, from 0.
        largest: of this column.
    """

    all: float
    column: int
    largest: float

    @classmethod
    def of(cls, points: np.ndarray) -> Size:
        """Size of points (N, D)."""
        largest = float(np.abs(points).max()) or 1.0  # squares of large numbers overflow
        # Column by column, so that no second array of all values is made
        squares = np.array([np.mean((points[:, c] / largest) ** 2, dtype=float) for c in range(points.shape[1])])
        column = int(squares.argmax())
        return cls(largest * float(squares.mean()) ** 0.5, column, largest * float(squares[column]) ** 0.5)

    @property
    def far_from_one(self) -> str | None:
        """Reason why the values are far from a scale of one, or None.

        Example:
            >>> Size.of(np.array([[0.5, 200.0], [0.1, -200.0]])).far_from_one
            'column 1 has a root mean square of 200'
            >>> Size.of(np.array([[0.5, 2.0], [0.1, -2.0]])).far_from_one is None
            True
        """
        if self.largest > FAR_FROM_ONE:
            return f"column {self.column} has a root mean square of {self.largest:.3g}"
        if self.all < 1 / FAR_FROM_ONE:
            return f"their root mean square is {self.all:.3g}"
        return None


def check_varying(train: np.ndarray, where: str) -> None:
    """Raise ValueError where a real-valued training dimension never varies: its learned variance has no optimum.

    Source: Dai & Wipf (ICLR 2019): on constant dimensions the variance goes to 0 and the ELBO to infinity.

    Example:
        >>> check_varying(np.array([[0.5, 1.0], [0.5, 2.0]]), "example")
        Traceback (most recent call last):
        ValueError: example: 1 of 2 training dimensions never varies (column 0); set noise: 0.01, ...
    """
    constant = np.flatnonzero(train.min(axis=0) == train.max(axis=0))
    if len(constant) == 0 or is_binary(train):
        return
    shown = ", ".join(map(str, constant[:10])) + (", …" if len(constant) > 10 else "")
    verb, noun = ("varies", "column") if len(constant) == 1 else ("vary", "columns")
    noise = "" if is_counts(train) else "set noise: 0.01, for images dequantise: true, or "
    raise ValueError(
        f"{where}: {len(constant)} of {train.shape[1]} training dimensions never {verb} ({noun} {shown}); {noise}"
        "accept them with allow_constant: true"
    )


def check_disjoint(train: np.ndarray, test: np.ndarray, where: str) -> None:
    """Raise ValueError where a real-valued point is both in the training and the held-out set.

    Example:
        >>> check_disjoint(np.array([[0.5], [2.0]]), np.array([[2.0], [3.0]]), "example")
        Traceback (most recent call last):
        ValueError: example: 1 training point is also held out, the first as row 1 of train and row 0 of test; ...
    """
    if is_counts(train):
        return
    held_out = {row.tobytes(): index for index, row in enumerate(test)}
    shared = [(index, held_out[row]) for index, row in enumerate(map(np.ndarray.tobytes, train)) if row in held_out]
    if shared:
        count = "1 training point is" if len(shared) == 1 else f"{len(shared)} training points are"
        raise ValueError(
            f"{where}: {count} also held out, the first as row {shared[0][0]} of train and row {shared[0][1]} of "
            "test; remove the copies"
        )
