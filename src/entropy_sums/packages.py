"""Classes of the modules of a package, so that a new class is a new file, without a line in a list."""

from __future__ import annotations

from collections.abc import Iterable
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
    return defined(
        [import_module(f"{package.__name__}.{found.name}") for found in iter_modules(package.__path__)], base
    )


def defined(modules: Iterable[ModuleType], base: type[T]) -> list[type[T]]:
    """Concrete subclasses of `base` that these modules define, by module and line.

    Example:
        >>> from json import decoder, encoder
        >>> defined([decoder, encoder], decoder.JSONDecoder)
        [<class 'json.decoder.JSONDecoder'>]
    """
    return [
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, base)
        if value.__module__ == module.__name__ and not isabstract(value)
    ]


def named(modules: Iterable[ModuleType], base: type[T]) -> dict[str, type[T]]:
    """Classes with a `name` of their own, which they do not inherit, by that name.

    Raises:
        ValueError: two classes have one name.

    Example:
        >>> from entropy_sums.data import toys
        >>> from entropy_sums.data.base import DatasetSettings
        >>> list(named([toys], DatasetSettings))[:3]
        ['ring_of_gaussians', 'circle', 'eight']
    """
    found: dict[str, type[T]] = {}
    for kind in defined(modules, base):
        if "name" in vars(kind) and found.setdefault(name := vars(kind)["name"], kind) is not kind:
            raise ValueError(f"{kind.__qualname__} and {found[name].__qualname__} are both called {name!r}; rename one")
    return found
