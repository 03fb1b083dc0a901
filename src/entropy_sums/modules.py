"""Code named by text, `module:name`, and modules of a user's folder under unique names."""

from __future__ import annotations

import builtins
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, resolve_name, spec_from_file_location
from itertools import count
from operator import attrgetter
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

USED_BY_PLUGINS = ("figures.*", "analysis.*")
"""Modules of this package that figures and tables of plugins may use."""

_numbers = count(1)


class Space:
    """Modules of a folder. They import each other by their plain names, which no other module sees.

    Two spaces may have modules of the same name; neither the search path nor any module from elsewhere changes.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "base.py").write_text("answer = 42")
        ...     _ = Path(folder, "more.py").write_text("import base; answer = base.answer + 1")
        ...     Space(Path(folder)).load("more").answer, "base" in sys.modules
        (43, False)
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = f"entropy_sums_plugin_{next(_numbers)}"

    def has(self, module: str) -> bool:
        """Whether the first part of the name of a module is one of the folder."""
        return self._file(module.partition(".")[0]) is not None

    def load(self, module: str) -> ModuleType:
        """Load a module of the folder, or else an installed one.

        Raises:
            ModuleNotFoundError: there is neither.
        """
        if not self.has(module):
            return import_module(module)
        full = f"{self.name}.{module}"
        if full in sys.modules:
            return sys.modules[full]
        parent, _, child = module.rpartition(".")
        above = self.load(parent) if parent else None
        file = self._file(module)
        if file is None:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
        inside = [str(file.parent)] if file.name == "__init__.py" else None
        spec = spec_from_file_location(
            full, file, loader=_Loader(full, str(file), self), submodule_search_locations=inside
        )
        assert spec is not None
        assert spec.loader is not None
        loaded = sys.modules[full] = module_from_spec(spec)
        try:
            spec.loader.exec_module(loaded)
        except BaseException:
            del sys.modules[full]
            raise
        if above is not None:
            setattr(above, child, loaded)
        return loaded

    def import_(
        self,
        name: str,
        names: Mapping[str, Any] | None = None,
        locals_: Mapping[str, Any] | None = None,
        wanted: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """Import for an `import` statement in one of the modules, with the arguments of `builtins.__import__`."""
        if level:
            name = resolve_name("." * level + name, self._package(names or {}))
        if not self.has(name):
            return builtins.__import__(name, names, locals_, wanted or (), 0)
        module = self.load(name)
        if not wanted:
            return self.load(name.partition(".")[0])
        for child in wanted:
            if not hasattr(module, child) and self._file(f"{name}.{child}"):
                self.load(f"{name}.{child}")
        return module

    def _package(self, names: Mapping[str, Any]) -> str:
        """The package that a relative import within a module starts from; empty for a module of the folder itself."""
        own = names["__name__"].removeprefix(f"{self.name}.")
        return own if "__path__" in names else own.rpartition(".")[0]

    def _file(self, module: str) -> Path | None:
        place = self.folder.joinpath(*module.split("."))
        files = (place / "__init__.py", place.with_name(f"{place.name}.py"))
        return next((file for file in files if file.is_file()), None)


class _Loader(SourceFileLoader):
    """Loader of a module of a space; its import statements, also those in functions, ask the space."""

    def __init__(self, fullname: str, path: str, space: Space) -> None:
        super().__init__(fullname, path)
        self.space = space

    def get_code(self, fullname: str) -> CodeType:
        # Never from a cache, which takes an edit within the same second for the same code
        return self.source_to_code(self.get_data(self.path), self.path)

    def exec_module(self, module: ModuleType) -> None:
        module.__dict__["__builtins__"] = {**vars(builtins), "__import__": self.space.import_}
        super().exec_module(module)


def own_modules(*references: str) -> tuple[str, ...]:
    """Modules of this package behind code that is named by text, as `files.source_digest` takes them.

    Example:
        >>> own_modules("entropy_sums.figures.traces:draw", "entropy_sums.figures.traces:caption")
        ('figures.traces',)
        >>> own_modules("my_figures:draw")
        ('figures.*', 'analysis.*')
    """
    package = f"{__package__}."
    modules = dict.fromkeys(reference.partition(":")[0] for reference in references)
    ours = [module.removeprefix(package) for module in modules if module.startswith(package)]
    return (*ours, *(USED_BY_PLUGINS if len(ours) < len(modules) else ()))


def load(reference: str, space: Space | None = None) -> Any:
    """Load the object that a text such as `module:name` names; modules of the space come first.

    Example:
        >>> load("math:gcd")(4, 6)
        2
    """
    module, _, name = reference.partition(":")
    return attrgetter(name)(import_module(module) if space is None else space.load(module))


def load_named(kind: type, attribute: str) -> Any:
    """Load the object that an attribute of a class names, as the module that sets the attribute would import it.

    Example:
        >>> class Divisor:
        ...     code = "math:gcd"
        >>> load_named(Divisor, "code")(4, 6)
        2
    """
    owner = next(base for base in kind.__mro__ if attribute in vars(base))
    loader = getattr(sys.modules.get(owner.__module__), "__loader__", None)
    return load(getattr(kind, attribute), loader.space if isinstance(loader, _Loader) else None)
