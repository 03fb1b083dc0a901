"""Files that are either complete or not there, and digests of files of this package."""

from __future__ import annotations

import ast
import errno
import hashlib
import os
import platform
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


FULL = 2**20
"""Free space in bytes, below which a disk counts as full."""


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Temporary path beside `path`; it is renamed to `path` when the block succeeds and removed when it fails.

    Two writers of one path do not harm each other: the last one to end wins. What a killed writer left of this path is
    removed.

    Raises:
        OSError: also where a library says in its own way that the disk is full.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     with atomic(Path(folder) / "a.txt") as temporary:
        ...         _ = temporary.write_text("whole")
        ...     (Path(folder) / "a.txt").read_text()
        'whole'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_orphans(path.absolute())
    prefix = f".{path.name}.{_process_space()}-{os.getpid()}."
    handle, name = mkstemp(dir=path.parent, prefix=prefix, suffix=path.suffix)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except Exception as error:
        if shutil.disk_usage(path.parent).free < FULL:
            reason = f"{os.strerror(errno.ENOSPC)}: free some space, the same command then goes on"
            raise OSError(errno.ENOSPC, reason, str(path)) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


@cache
def _remove_orphans(path: Path) -> None:
    """Remove temporaries of this path whose writer was killed here; once per process, as folders may be large."""
    prefix = f".{path.name}.{_process_space()}-"
    for name in os.listdir(path.parent):
        process = name.removeprefix(prefix).partition(".")[0]
        if name.startswith(prefix) and process.isdigit() and not _runs(int(process)):
            (path.parent / name).unlink(missing_ok=True)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # of another user
        return True
    return True


@cache
def _process_space() -> str:
    """Name of what gives process numbers: this machine since it was started, or a container on it."""
    try:
        parts = Path("/proc/sys/kernel/random/boot_id").read_text(), os.readlink("/proc/self/ns/pid")
    except OSError:  # not Linux
        parts = (platform.node(),)
    return hashlib.sha256("".join(parts).encode()).hexdigest()[:8]


def newer(path: Path, sources: Iterable[Path]) -> bool:
    """Whether `path` is there and no older than any of the files that it is made from.

    Example:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     newer(Path(folder), []), newer(Path(folder, "absent"), [])
        (True, False)
    """
    return path.exists() and all(path.stat().st_mtime >= source.stat().st_mtime for source in sources)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def checksum(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over names, shapes, types and values of arrays of numbers or text, the same on every machine.

    Example:
        >>> import numpy as np
        >>> ones = np.ones(3)
        >>> checksum({"a": ones}) == checksum({"a": ones.astype(">f8")}) != checksum({"a": 2 * ones})
        True
        >>> checksum({"a": np.array(["b", "c"])}) == checksum({"a": np.array(["b", "c"], dtype=object)})
        True
    """
    digest = hashlib.sha256()
    for name in sorted(arrays):
        values = arrays[name]
        if values.dtype.kind in "OUT":
            kind, content = "text", "\0".join(values.flat).encode()
        else:
            kind = values.dtype.newbyteorder("<").str
            content = values.astype(kind, order="C", copy=False).reshape(-1).data
        digest.update(f"{name} {values.shape} {kind}\n".encode())
        digest.update(content)
    return digest.hexdigest()


def source_digest(*parts: str) -> str:
    """Digest of the source of modules of this package and of all that these import from it.

    Code named by text (`module:function`) is not followed, nor is the package itself, which every module imports.

    Args:
        parts: modules such as `figures.traces`, all modules of a package such as `figures.*`, or folders of other
            files such as `templates`.

    Raises:
        ValueError: there is no such module or folder.

    Example:
        >>> source_digest("bound") == source_digest("bound") != source_digest("bound", "ais")
        True
    """
    root = Path(__file__).parent
    waiting = [module for part in parts for module in _modules(root, part)]
    files = {file for part in parts if (folder := root / part).is_dir() for file in _data(folder)}
    if unknown := [part for part in parts if not _modules(root, part) and not (root / part).is_dir()]:
        raise ValueError(f"{unknown[0]!r} is no module or folder of {root.name}")
    prefix, found = f"{root.name}.", set[str]()
    while waiting:
        module = waiting.pop()
        file = _file(root, module)
        if file is not None and module not in found:
            found.add(module)
            files.add(file)
            above = module.rpartition(".")[0]
            waiting += [above] if above else []
            ours = [name for name in imports(file.read_bytes()) if name.startswith(prefix)]
            waiting += [name.removeprefix(prefix) for name in ours if name.removeprefix(prefix) not in found]
    content = b"".join(str(file.relative_to(root)).encode() + file.read_bytes() for file in sorted(files))
    return hashlib.sha256(content).hexdigest()[:16]


def _modules(root: Path, part: str) -> list[str]:
    package, star, _ = part.partition(".*")
    if star:
        return [f"{package}.{file.stem}" for file in sorted((root / package).glob("*.py"))]
    return [part] if _file(root, part) else []


def _data(folder: Path) -> list[Path]:
    """Files of a folder that is no package."""
    inside = () if (folder / "__init__.py").exists() else folder.rglob("*")
    return [file for file in inside if file.is_file() and "__pycache__" not in file.parts]


def _file(root: Path, module: str) -> Path | None:
    place = root.joinpath(*module.split("."))
    return next((file for file in (place / "__init__.py", place.with_name(f"{place.name}.py")) if file.is_file()), None)


@cache
def imports(source: bytes) -> frozenset[str]:
    """Names that source code imports, in functions too: modules and their members.

    Raises:
        SyntaxError: it is not valid Python.

    Example:
        >>> sorted(imports(b"import os.path; from math import pi"))
        ['math', 'math.pi', 'os.path']
    """
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found.update(alias.name for alias in names)
            case ast.ImportFrom(module=str(module), names=names, level=0):
                found.update([module, *(f"{module}.{alias.name}" for alias in names)])
    return frozenset(found)
