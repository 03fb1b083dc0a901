"""Checks of data, with errors that name the place and the fix."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from entropy_sums.supports import Support


def as_points(values: np.ndarray, where: str) -> np.ndarray:
    """The values as a float32 array of shape (points, dimensions), all of them finite.

    `where` names the values in errors. Raises ValueError for complex or non-numeric values, for a shape that is
    not (points, dimensions), for fewer than 2 points, and for NaN and infinite values.

    Example:
        >>> as_points(np.array([[0, 1], [2, 3]]), "example").dtype
        dtype('float32')
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
        points = np.ascontiguousarray(values, dtype=np.float32)
    for kind, test in {"NaN or missing": np.isnan, "infinite or beyond float32": np.isinf}.items():
        if len(bad := np.argwhere(test(points))):
            row, column = bad[0]
            count, fix = ("1 value is", "it") if len(bad) == 1 else (f"{len(bad)} values are", "them")
            raise ValueError(f"{where}: {count} {kind}, the first in row {row}, column {column}; remove or fill {fix}")
    return points


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
            "test; remove the copies, or centre points that single precision, in which data are kept, cannot tell apart"
        )
