"""Errors of study files: which file, which key, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

MOST_SHOWN = 40
"""Of thousands of known names a list helps nobody."""

LONGEST_INPUT = 80
"""Characters of a wrong value that are shown."""


class StudyError(ValueError):
    """A mistake in a file that a user writes: a study file, found before anything runs, or one of results/reference."""


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
    if close:
        return f"did you mean {close[0]!r}?"
    return "known are: " + ", ".join([*known[:MOST_SHOWN], *(["…"] if len(known) > MOST_SHOWN else [])])


class CombinationError(StudyError):
    """Settings that are fine each by itself, and cannot be together."""


@contextmanager
def explained(where: str, content: Any, schema: type[BaseModel] | None = None) -> Iterator[None]:
    """Turn the errors of pydantic about `content` into one StudyError that says where, which key, and what to do.

    Args:
        schema: of the content, to name the keys that it may have.

    Raises:
        CombinationError: no key is unknown or missing, so that values are wrong, or wrong together.
        StudyError: else.

    Example:
        >>> from entropy_sums.training.settings import TrainingSettings
        >>> content = {"phases": [{"stpes": 10}]}
        >>> with explained("a.yaml: training", content, TrainingSettings):
        ...     TrainingSettings.model_validate(content)
        Traceback (most recent call last):
        entropy_sums.study.errors.StudyError: a.yaml: training: phases.0.stpes: unknown key; did you mean 'steps'?
    """
    try:
        yield
    except ValidationError as error:
        messages: dict[tuple, list[str]] = {}
        inputs: dict[tuple, str] = {}
        for detail in error.errors():
            path = _path(detail, content)
            messages.setdefault(path, []).append(_message(path, detail, schema))
            if detail["type"] not in ("extra_forbidden", "missing", "value_error"):
                inputs[path] = f" (got {_cut(repr(detail['input']))})"
        # A block with a mistake inside also counts as one that is missing: only the mistake is news
        inner = {path[:end] for path in messages for end in range(len(path))}
        lines = [
            ": ".join(
                [where, *([".".join(map(str, path))] if path else []), _alternatives(found) + inputs.get(path, "")]
            )
            for path, found in messages.items()
            if path not in inner
        ]
        wrong_keys = {detail["type"] for detail in error.errors()} & {"missing", "extra_forbidden"}
        raise (StudyError if wrong_keys else CombinationError)("\n".join(lines)) from error


def blocks(annotation: Any) -> Iterator[type[BaseModel]]:
    """The blocks of settings that a field of this type holds; none where it is a plain value.

    Example:
        >>> from entropy_sums.training.settings import PhaseSettings
        >>> list(blocks(tuple[PhaseSettings, ...])) == [PhaseSettings], list(blocks(int))
        (True, [])
    """
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from blocks(argument)


def _cut(text: str) -> str:
    """Text that is not longer than a line."""
    return text if len(text) <= LONGEST_INPUT else f"{text[:LONGEST_INPUT]}…"


def _path(detail: Any, content: Any) -> tuple:
    """The keys that lead to the mistake: what pydantic says, without its names for the members of a union."""
    path = []
    for part in detail["loc"]:
        inside = (
            part in content if isinstance(content, Mapping) else isinstance(content, list) and isinstance(part, int)
        )
        if inside:
            path.append(part)
            content = content[part]
    return (*path, detail["loc"][-1]) if detail["type"] == "missing" else tuple(path)


def _message(path: tuple, detail: Any, schema: type[BaseModel] | None) -> str:
    if detail["type"] == "extra_forbidden" and schema is not None:
        return "unknown key; " + nearest(str(path[-1]), _fields(schema, path[:-1]))
    return "is missing; add it" if detail["type"] == "missing" else detail["msg"].removeprefix("Value error, ")


def _alternatives(messages: list[str]) -> str:
    first, *others = dict.fromkeys(messages)
    return " or ".join([first, *(other.removeprefix("Input should be ") for other in others)])


def _fields(schema: type[BaseModel], path: tuple) -> set[str]:
    """Names of the fields of the block that `path` leads to, list positions and keys of mappings included."""
    for part in path:
        if part in schema.model_fields:
            schema = next(blocks(schema.model_fields[part].annotation))
    return set(schema.model_fields)
