"""The base of every block of settings: strict, frozen, and knowing which settings may be packed."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict

T = TypeVar("T")


class _Packed:
    """Marks a setting that leaves all tensor shapes alone, so that one job can train several values."""

    def __repr__(self) -> str:
        return "PACKED"


PACKED = _Packed()
Packed = Annotated[T, PACKED]
"""`learning_rate: Packed[float]` declares a setting whose values share a pack of replicas."""


class Settings(BaseModel):
    """A block of settings; an unknown key is an error, a default is always recorded.

    The string below a setting is its description in the JSON schema of study files.

    Example:
        >>> class Noise(Settings):
        ...     scale: Packed[float] = 0.1
        ...     kind: str = "normal"
        >>> sorted(Noise.packed())
        ['scale']
        >>> Noise(scale=0.2).model_dump()
        {'scale': 0.2, 'kind': 'normal'}
    """

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)

    @classmethod
    def packed(cls) -> set[str]:
        """Names of the settings that replicas of one pack may differ in."""
        return {name for name, field in cls.model_fields.items() if PACKED in field.metadata}
