"""Errors of study files: which file, which key, what to do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

MOST_SHOWN = 40
"""Largest number of known names in a message: a list of thousands would help nobody."""

LONGEST_INPUT = 80
"""Largest number of characters of a wrong value in a message."""


class StudyError(ValueError):
    """A mistake in a file by a user: a study file (found before anything runs), or a file of results/reference."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Hint for an unknown word: the known word that was probably meant, or else a list of the known words.

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
    """Settings that are each valid alone, but not together."""


@contextmanager
def explained(where: str, content: Any, schema: type[BaseModel] | None = None) -> Iterator[None]:
    """Turn the errors of pydantic about `content` into one StudyError with the place, the key and the fix.

    Args:
        schema: schema of the content, to suggest known keys.

    Raises:
        CombinationError: no key is unknown or missing, but values are wrong, alone or together.
        StudyError: a key is unknown or missing.

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
        # A block with a mistake inside is also reported as missing: only the mistake itself helps
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
    """Blocks of settings in the type of a field; none for a plain value.

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
    """The text, cut after `LONGEST_INPUT` characters."""
    return text if len(text) <= LONGEST_INPUT else f"{text[:LONGEST_INPUT]}…"


def _path(detail: Any, content: Any) -> tuple:
    """Keys that lead to the mistake: the location of pydantic, without its names for the members of a union."""
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
    """Names of the fields of the block at `path`, which may contain list positions and keys of mappings."""
    for part in path:
        if part in schema.model_fields:
            schema = next(blocks(schema.model_fields[part].annotation))
    return set(schema.model_fields)
