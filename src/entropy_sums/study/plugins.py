"""Plugins: files or packages with models, datasets, figures, tables and optimisers. As light as their code."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from inspect import isabstract
from pathlib import Path
from types import ModuleType
from typing import Any, TypeGuard

from entropy_sums.data.base import DatasetSettings
from entropy_sums.files import imports
from entropy_sums.models.base import ModelSettings
from entropy_sums.modules import Space
from entropy_sums.settings import Settings
from entropy_sums.study.errors import StudyError, nearest
from entropy_sums.study.pictures import EACH, Figure
from entropy_sums.study.tables import Table
from entropy_sums.training.optimizers.base import Optimizer

GROUP = "entropy_sums.plugins"
"""Group of the entry points of installed packages."""

KINDS = ("MODELS", "DATASETS", "FIGURES", "TABLES", "OPTIMIZERS")
"""Kinds of members of a plugin, each a mapping from names to members."""


@dataclass(frozen=True)
class Plugin:
    """A loaded plugin.

    Attributes:
        where: its file or entry point, for messages.
        digest: digest of the source of its models, datasets and optimisers; each figure and table has its own.
        members: one of `KINDS` → name → class or declaration.
    """

    where: str
    digest: str
    members: Mapping[str, Mapping[str, Any]]


class Library:
    """The plugins that a study file names, each loaded once.

    Args:
        folder: folder of the study file; paths are relative to it.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> text = '''
        ... from entropy_sums.models.vae.settings import VAE1Settings
        ...
        ... class WideVAESettings(VAE1Settings):
        ...     encoder_width: int = 500
        ...
        ... MODELS = {"wide_vae": WideVAESettings}
        ... '''
        >>> with TemporaryDirectory() as folder:
        ...     _ = Path(folder, "wide.py").write_text(text)
        ...     plugin = Library(Path(folder)).load(["wide.py"])["wide.py"]
        >>> plugin.members["MODELS"]["wide_vae"]().encoder_width
        500
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._spaces: dict[Path, Space] = {}
        self._loaded: dict[str, Plugin] = {}

    def load(self, names: Sequence[str]) -> dict[str, Plugin]:
        """Load plugins by name, each a Python file or the name of an entry point.

        Raises:
            StudyError: a plugin does not exist, cannot be imported, has no members, or has an invalid member.
        """
        called: set[tuple[str, bool]] = set()
        for name in names:
            path, in_file = (self._folder / name).resolve(), _is_file_name(name)
            if (path.stem, in_file) in called:
                where = path if in_file else name
                raise StudyError(f"{where}: a second plugin of this name; name it once, or rename one of the two")
            called.add((path.stem, in_file))
            if name not in self._loaded:
                self._loaded[name] = self._file(path) if in_file else _installed(name)
        return {name: self._loaded[name] for name in names}

    def _file(self, path: Path) -> Plugin:
        if not path.is_file():
            raise StudyError(f"{path}: no such file; name a Python file, as seen from the folder of the study file")
        if path.suffix != ".py" or not path.stem.isidentifier():
            raise StudyError(f"{path}: cannot be a module; rename it to letters, digits and underscores, then .py")
        folder = path.parent
        if (folder / "entropy_sums").is_dir():
            raise StudyError(
                f"{path}: lies among installed modules, which are no part of it; move it to another folder"
            )
        _sources(folder, [path.stem])
        space = self._spaces.setdefault(folder, Space(folder))
        module = _imported(lambda: space.load(path.stem), str(path), f"`python {path}`")
        members = _members(module, str(path), space)

        def digest(modules: Iterable[str]) -> str:
            return _digest(_sources(folder, [path.stem, *modules]))

        implementations = [_module(schema.implementation) for schema in members["MODELS"].values()]
        return Plugin(str(path), digest(implementations), _with_source(members, space, digest))


def _is_file_name(name: str) -> bool:
    return bool(Path(name).suffix) or os.sep in name or name in ("", ".", "..")


def _installed(name: str) -> Plugin:
    """The plugin of an entry point. Its digest covers all Python files of its package."""
    found: dict[str, EntryPoint] = {point.name: point for point in entry_points(group=GROUP)}
    if name not in found:
        known = f"installed are: {', '.join(sorted(found))}" if found else "no plugin is installed"
        raise StudyError(f"{name!r} is no Python file, and no entry point of the group {GROUP}; {known}")
    point = found[name]
    where = f"{name} ({point.value})"
    module = _imported(point.load, where, f"`python -c 'import {point.module}'`")
    if not isinstance(module, ModuleType):
        raise StudyError(f"{where}: is no module; write {name} = {point.module!r} in the entry points of its package")
    members = _members(module, where, None)
    top = find_spec(_top(point.module))
    assert top is not None, "was imported"
    folders = [Path(place) for place in top.submodule_search_locations or ()]
    files = {file for folder in folders for file in folder.rglob("*.py")} or {Path(str(top.origin))}
    digest = _digest(files)
    return Plugin(where, digest, _with_source(members, None, lambda modules: digest))


def _imported(load: Callable[[], Any], where: str, command: str) -> Any:
    try:
        return load()
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # code of others may do anything, such as exit the process
        reason = f"{type(error).__name__}: {error}"
        raise StudyError(f"{where}: cannot be imported ({reason}); {command} shows where") from error


def _members(module: ModuleType, where: str, space: Space | None) -> dict[str, dict[str, Any]]:
    """Members of a module, each checked by itself; `Catalogue` compares them with the known members."""
    members = {kind: getattr(module, kind, {}) for kind in KINDS}
    for kind, named in members.items():
        if not isinstance(named, Mapping):
            raise StudyError(f"{where}: {kind}: {named!r} is no mapping; write {kind} = {{'name_in_studies': …}}")
    if not any(members.values()):
        raise StudyError(
            f"{where}: MODELS is missing; add MODELS = {{'name_in_studies': ClassOfSettings}}, "
            "or likewise DATASETS, FIGURES, TABLES or OPTIMIZERS"
        )
    for kind, named in members.items():
        for name, member in named.items():
            if problem := _name_problem(name) or CHECKS[kind](name, member, space):
                raise StudyError(f"{where}: {kind}: {name!r}: {problem}")
    return {kind: dict(named) for kind, named in members.items()}


def _name_problem(name: Any) -> str | None:
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        return "a name is a letter, then letters, digits and underscores"
    return None


def _model_problem(name: str, schema: Any, space: Space | None) -> str | None:
    """Mistake in an entry of `MODELS` with its fix, or None."""
    if problem := _settings_problem(schema, ModelSettings, "model"):
        return problem
    implementation = getattr(schema, "implementation", None)
    if not _is_reference(implementation):
        return "no implementation; add implementation = 'module:function', which builds it from a Blueprint"
    return _missing("implementation", implementation, space)


def _dataset_problem(name: str, schema: Any, space: Space | None) -> str | None:
    """Mistake in an entry of `DATASETS` with its fix, or None."""
    if problem := _settings_problem(schema, DatasetSettings, "dataset"):
        return problem
    if isabstract(schema):
        return f"{schema.__name__} does not make its data; add the method arrays(self, data_dir, generator)"
    if getattr(schema, "name", None) != name:
        return f"its class is called {getattr(schema, 'name', None)!r}; write name = {name!r} in {schema.__name__}"
    if not isinstance(getattr(schema, "source", None), str):
        return f"says not where it comes from; write source = 'what to cite' in {schema.__name__}"
    return None


def _settings_problem(schema: Any, base: type[Settings], kind: str) -> str | None:
    if not isinstance(schema, type) or not issubclass(schema, base):
        return f"{schema!r} is no class of settings; make a subclass of {base.__module__}.{base.__name__}"
    if taken := {"name", "source"} & schema.model_fields.keys():
        return f"a setting cannot be called {min(taken)!r}, which stands for the {kind} itself; rename it"
    return None


def _figure_problem(name: str, figure: Any, space: Space | None) -> str | None:
    """Mistake in an entry of `FIGURES` with its fix, or None."""
    if not isinstance(figure, Figure):
        return f"{figure!r} is no figure; write Figure(draw='module:function', caption='module:function')"
    if figure.of_each not in EACH:
        return f"of_each is {figure.of_each!r}; {nearest(str(figure.of_each), EACH[1:])}, or leave it out"
    return _reference_problem("draw", figure.draw, space) or _reference_problem("caption", figure.caption, space)


def _table_problem(name: str, table: Any, space: Space | None) -> str | None:
    """Mistake in an entry of `TABLES` with its fix, or None."""
    if not isinstance(table, Table):
        return f"{table!r} is no table; write Table(rows='module:function', title='…')"
    return _reference_problem("rows", table.rows, space)


def _optimizer_problem(name: str, kind: Any, space: Space | None) -> str | None:
    """Mistake in an entry of `OPTIMIZERS` with its fix, or None."""
    if not isinstance(kind, type) or not issubclass(kind, Optimizer):
        return f"{kind!r} is no optimiser; make a subclass of {Optimizer.__module__}.{Optimizer.__name__}"
    if isabstract(kind):
        missing = min(kind.__abstractmethods__)
        return f"{kind.__name__} is not complete; add the method {missing}"
    if getattr(kind, "name", None) != name:
        return f"its class is called {getattr(kind, 'name', None)!r}; write name = {name!r} in {kind.__name__}"
    return None


CHECKS: dict[str, Callable[[str, Any, Space | None], str | None]] = {
    "MODELS": _model_problem,
    "DATASETS": _dataset_problem,
    "FIGURES": _figure_problem,
    "TABLES": _table_problem,
    "OPTIMIZERS": _optimizer_problem,
}
"""Kind of member → function that gives the mistake in a member with its fix, or None."""


def _reference_problem(key: str, reference: Any, space: Space | None) -> str | None:
    if not _is_reference(reference):
        return f"{key} is {reference!r}; write {key}='module:function'"
    return _missing(key, reference, space)


def _is_reference(text: Any) -> TypeGuard[str]:
    return isinstance(text, str) and bool(re.fullmatch(r"[\w.]+:[\w.]+", text))


def _missing(key: str, reference: str, space: Space | None) -> str | None:
    module = _module(reference)
    if (space is not None and space.has(module)) or find_spec(_top(module)) is not None:
        return None
    return f"{key} {reference!r}: no module {module!r} beside this file, nor installed"


def _with_source(
    members: Mapping[str, dict[str, Any]], space: Space | None, digest: Callable[[Iterable[str]], str]
) -> dict[str, dict[str, Any]]:
    """The members, with the place and the digest of the code of figures and tables."""
    figures = {
        name: replace(figure, space=space, source=digest(map(_module, (figure.draw, figure.caption))))
        for name, figure in members["FIGURES"].items()
    }
    tables = {
        name: replace(table, space=space, source=digest([_module(table.rows)]))
        for name, table in members["TABLES"].items()
    }
    return {**members, "FIGURES": figures, "TABLES": tables}


def _module(reference: str) -> str:
    return reference.partition(":")[0]


def _top(module: str) -> str:
    return module.partition(".")[0]


def _sources(folder: Path, modules: Iterable[str]) -> frozenset[Path]:
    """Files in `folder` of these modules, and of all modules that they import from there."""
    found: set[Path] = set()
    waiting = list(map(_top, modules))
    while waiting:
        name = waiting.pop()
        package = folder / name
        inside = package.rglob("*.py") if (package / "__init__.py").is_file() else ()
        files = {file for file in (folder / f"{name}.py", *inside) if file.is_file()} - found
        if files and (spec := find_spec(name)) and spec.origin and Path(spec.origin) not in files:
            raise StudyError(f"{min(files)}: {name!r} is also the module {spec.origin}; rename this file")
        found |= files
        waiting += [_top(imported) for file in files for imported in _names_imported(file)]
    return frozenset(found)


def _names_imported(file: Path) -> frozenset[str]:
    try:
        return imports(file.read_bytes())
    except SyntaxError as error:
        raise StudyError(f"{file}: line {error.lineno}: not valid Python: {error.msg}") from error


def _digest(files: Iterable[Path]) -> str:
    whole = hashlib.sha256()
    for file in sorted(files):
        whole.update(f"{file.name} {file.stat().st_size}\n".encode() + file.read_bytes())
    return whole.hexdigest()[:16]
