"""Errors of study files: which file, which key, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError


class StudyError(ValueError):
    """A mistake in a study file, found before anything runs."""


def nearest(word: str, known: Iterable[str]) -> str:
    """A hint at the known word that was probably meant, and else at all of them.

    Example:
        >>> nearest("vea1", ["vae1", "linear_vae"])
        "did you mean 'vae1'?"
        >>> nearest("q", ["vae1", "linear_vae"])
        'known are: linear_vae, vae1'
    """
    known = sorted(known)
    close = get_close_matches(word, known, 1)
    return f"did you mean {close[0]!r}?" if close else "known are: " + ", ".join(known)


@contextmanager
def explained(where: str, schema: type[BaseModel]) -> Iterator[None]:
    """Turn the errors of pydantic into one StudyError that says where, which key, and what to do."""
    try:
        yield
    except ValidationError as error:
        raise StudyError("\n".join(_line(where, schema, detail) for detail in error.errors())) from error


def _line(where: str, schema: type[BaseModel], detail: Any) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        message = "unknown key; " + nearest(str(detail["loc"][-1]), _fields(schema, detail["loc"][:-1]))
    elif detail["type"] != "value_error":
        message += f" (got {detail['input']!r})"
    return f"{where}: {key}: {message}" if key else f"{where}: {message}"


def _fields(schema: type[BaseModel], path: tuple) -> set[str]:
    """Names of the fields of the block that `path` leads to, list positions included."""
    for part in path:
        if isinstance(part, str):
            schema = next(_models(schema.model_fields[part].annotation))
    return set(schema.model_fields)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)
