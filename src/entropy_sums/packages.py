"""Classes by the package that their modules lie in, so that a new one is a new file and no line in a list."""

from __future__ import annotations

from importlib import import_module
from inspect import isabstract
from pkgutil import iter_modules
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")


def members(package: ModuleType, base: type[T]) -> list[type[T]]:
    """Concrete subclasses of `base` that the modules of a package define, by module and line.

    Example:
        >>> import json
        >>> members(json, json.JSONDecoder)
        [<class 'json.decoder.JSONDecoder'>]
    """
    modules = [import_module(f"{package.__name__}.{found.name}") for found in iter_modules(package.__path__)]
    return [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, base)
        if value.__module__ == module.__name__ and not isabstract(value)
    ]
