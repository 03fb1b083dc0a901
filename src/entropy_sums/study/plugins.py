"""Models of the user's own, in Python files that a study names. As light as those files: the workflow loads them."""

from __future__ import annotations

import ast
import hashlib
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from importlib import import_module, invalidate_caches
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from entropy_sums.models.base import ModelSettings
from entropy_sums.models.catalogue import MODELS
from entropy_sums.quantities import group_name
from entropy_sums.study.errors import StudyError


class Plugin(NamedTuple):
    """What was loaded: source files, and their digest."""

    files: frozenset[Path]
    digest: str


# Names, modules and search path belong to the process, so the three change together: it has the plugins of one study.
_loaded: dict[Path, Plugin] = {}
_undo = ExitStack()
_digests: WeakKeyDictionary[type[ModelSettings], str] = WeakKeyDictionary()


def load(paths: Iterable[Path]) -> list[str]:
    """Make the models of these files known by the names in their `MODELS`, in place of those loaded before.

    The folder of each file is searched for modules, after all others. A file that has not changed is not loaded again.

    Returns:
        Digests of the sources, in the order of `paths`: of each file, of the files of its folder that hold its
        implementations, and of all those of its folder that they import.

    Raises:
        StudyError: a file that is not there or cannot be imported, or one without proper `MODELS`.

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
        ...     file = Path(folder, "wide.py")
        ...     _ = file.write_text(text)
        ...     [digest] = load([file])
        >>> MODELS["wide_vae"]().encoder_width, source(MODELS["wide_vae"]) == {"source": digest}
        (500, True)
        >>> load([]), "wide_vae" in MODELS
        ([], False)
    """
    wanted = [path.resolve() for path in paths]
    if list(_loaded) != wanted or not all(map(_is_as_loaded, _loaded.values())):
        _forget()
        try:
            for path in wanted:
                _loaded[path] = _load(path)
        except Exception:
            _forget()
            raise
    return [_loaded[path].digest for path in wanted]


def source(schema: type[ModelSettings]) -> dict[str, str]:
    """What the settings of a run say of code that is not ours: the digest of its plugin; of our own models nothing."""
    return {"source": _digests[schema]} if schema in _digests else {}


def _forget() -> None:
    _loaded.clear()
    _undo.close()


def _is_as_loaded(plugin: Plugin) -> bool:
    return all(file.is_file() for file in plugin.files) and _digest(plugin.files) == plugin.digest


def _load(path: Path) -> Plugin:
    if not path.is_file():
        raise StudyError(f"{path}: no such file; name a Python file, as seen from the folder of the study file")
    if path.suffix != ".py" or not path.stem.isidentifier():
        raise StudyError(f"{path}: cannot be a module; rename it to letters, digits and underscores, then .py")
    if path.stem in (other.stem for other in _loaded):
        raise StudyError(f"{path}: a second plugin of this name; name it once, or rename one of the two")
    folder = path.parent
    if (folder / "entropy_sums").is_dir():
        raise StudyError(f"{path}: lies among installed modules, which are no part of it; move it to another folder")
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
        _undo.callback(sys.path.remove, str(folder))
    invalidate_caches()
    files = _sources(folder, [path.stem])
    _unload(files)
    try:
        module = import_module(path.stem)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        raise StudyError(f"{path}: cannot be imported ({reason}); `python {path}` shows where") from error
    finally:
        _undo.callback(_unload, files)
    models = getattr(module, "MODELS", None)
    if not isinstance(models, dict) or not models:
        raise StudyError(f"{path}: MODELS is missing; add MODELS = {{'name_in_studies': ClassOfSettings}}")
    for name, schema in models.items():
        if problem := _problem(name, schema):
            raise StudyError(f"{path}: MODELS: {name!r}: {problem}")
        MODELS[name] = schema
        _undo.callback(MODELS.pop, name)
    files = _sources(folder, [path.stem, *(_module(schema) for schema in models.values())])
    _undo.callback(_unload, files)
    digest = _digest(files)
    _digests.update(dict.fromkeys(models.values(), digest))
    return Plugin(files, digest)


def _problem(name: Any, schema: Any) -> str | None:
    """What is wrong with an entry of `MODELS`, and what to do."""
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
        return "a name is a letter, then letters, digits and underscores"
    for known, other in MODELS.items():
        if group_name(known) == group_name(name):
            return f"{known!r} is a model already; choose another name"
        if other is schema:
            return f"its settings are those of {known!r}; make a subclass of them"
    if not isinstance(schema, type) or not issubclass(schema, ModelSettings):
        return f"{schema!r} is no class of settings; make a subclass of entropy_sums.models.settings.ModelSettings"
    if taken := {"name", "source"} & schema.model_fields.keys():
        return f"a setting cannot be called {min(taken)!r}, which stands for the model itself; rename it"
    implementation = getattr(schema, "implementation", None)
    if not isinstance(implementation, str) or not re.fullmatch(r"[\w.]+:[\w.]+", implementation):
        return "no implementation; add implementation = 'module:function', which builds it from a Blueprint"
    if find_spec(_top(_module(schema))) is None:
        return f"implementation {implementation!r}: no module {_module(schema)!r} beside this file, nor installed"
    return None


def _module(schema: type[ModelSettings]) -> str:
    return schema.implementation.partition(":")[0]


def _top(module: str) -> str:
    return module.partition(".")[0]


def _sources(folder: Path, modules: Iterable[str]) -> frozenset[Path]:
    """Files of `folder` that hold these modules, and whatever they import from there."""
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
        waiting += [_top(imported) for file in files for imported in _imports(file)]
    return frozenset(found)


def _imports(file: Path) -> Iterator[str]:
    try:
        tree = ast.parse(file.read_bytes())
    except SyntaxError as error:
        raise StudyError(f"{file}: line {error.lineno}: not valid Python: {error.msg}") from error
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (alias.name for alias in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module


def _unload(files: Iterable[Path]) -> None:
    """Take modules from these files out of the process, so that the next import reads them anew."""
    places = {str(file) for file in files}
    for name, module in list(sys.modules.items()):
        if getattr(module, "__file__", None) in places and name != "__main__":
            del sys.modules[name]


def _digest(files: Iterable[Path]) -> str:
    whole = hashlib.sha256()
    for file in sorted(files):
        whole.update(f"{file.name} {file.stat().st_size}\n".encode() + file.read_bytes())
    return whole.hexdigest()[:16]
