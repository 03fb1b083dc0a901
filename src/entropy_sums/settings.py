"""Base class of every block of settings: strict, frozen, and with marks for settings that may be packed."""

from __future__ import annotations

import ast
import inspect
import textwrap
from itertools import pairwise
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

PROTOCOL = 9
"""Version of all code that computes numbers. Raise it with any change that alters a trace; runs are then redone."""

T = TypeVar("T")


class _Packed:
    """Mark of a setting that leaves all tensor shapes unchanged, so that one job can train several values."""

    def __repr__(self) -> str:
        return "PACKED"


PACKED = _Packed()

Packed = Annotated[T, PACKED]
"""Type of a setting whose values share a pack of replicas, as in `learning_rate: Packed[float]`."""


def own(schema: type, name: str) -> Any:
    """Class variable that a class declares itself, else None: an inherited one belongs to another model or dataset.

    Example:
        >>> class Wide:
        ...     label = "wide VAE"
        >>> class Wider(Wide): ...
        >>> own(Wide, "label"), own(Wider, "label")
        ('wide VAE', None)
    """
    return vars(schema).get(name)


class Settings(BaseModel):
    """A block of settings; an unknown key is an error, a default is always recorded.

    The string below a setting is its description in the JSON schema of study files. It is read only when a schema is
    made, as reading the source of all settings takes longer than planning a study.

    Example:
        >>> class Noise(Settings):
        ...     scale: Packed[float] = 0.1
        ...     kind: str = "normal"
        >>> sorted(Noise.packed())
        ['scale']
        >>> Noise(scale=0.2).model_dump()
        {'scale': 0.2, 'kind': 'normal'}
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, defer_build=True)

    @classmethod
    def packed(cls) -> set[str]:
        """Names of the settings that replicas of one pack may differ in."""
        return {name for name, field in cls.model_fields.items() if PACKED in field.metadata}

    @classmethod
    def descriptions(cls) -> dict[str, str]:
        """Setting → the string below it, with inherited settings.

        Example:
            >>> from entropy_sums.training.settings import TrainingSettings
            >>> TrainingSettings.descriptions()["precision"]
            'Floating point type of parameters and data; random numbers are the same in both.'
        """
        inherited = [base.descriptions() for base in reversed(cls.__bases__) if issubclass(base, Settings)]
        [definition] = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
        assert isinstance(definition, ast.ClassDef)
        own = {
            setting.target.id: inspect.cleandoc(text.value.value)
            for setting, text in pairwise(definition.body)
            if isinstance(setting, ast.AnnAssign) and isinstance(setting.target, ast.Name)
            if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
        }
        return {name: text for found in (*inherited, own) for name, text in found.items() if name in cls.model_fields}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core_schema)
        properties = handler.resolve_ref_schema(schema).get("properties", {})
        for name, text in cls.descriptions().items():
            written = cls.model_fields[name].alias or name
            if written in properties:
                properties[written]["description"] = text
        return schema
