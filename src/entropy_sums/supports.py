"""Supports: sets of numbers that data consist of, and that models are distributions over."""

from __future__ import annotations

from typing import Literal

Support = Literal["real", "binary", "counts", "nonnegative", "positive"]

WORDS: dict[Support, str] = {
    "real": "real numbers",
    "binary": "0 and 1",
    "counts": "0, 1, 2, …",
    "nonnegative": "numbers from 0 on",
    "positive": "numbers above 0",
}
"""Support → its numbers in words."""

CONTAINED: dict[Support, frozenset[Support]] = {
    "real": frozenset({"real"}),
    "binary": frozenset({"binary", "counts", "nonnegative", "real"}),
    "counts": frozenset({"counts", "nonnegative", "real"}),
    "nonnegative": frozenset({"nonnegative", "real"}),
    "positive": frozenset({"positive", "nonnegative", "real"}),
}
"""Support → all supports that contain its numbers: models over any of these are distributions over such data."""
