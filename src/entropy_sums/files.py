"""Files that are either complete or not there."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


FULL = 2**20
"""Bytes: a disk with less free space is full."""


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`, which takes its name when the block ends well and vanishes when it does not.

    Two writers of one path do not harm each other: the last one to end wins.

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
    handle, name = mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=path.suffix)
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
    """Digest of the source of parts of this package (files or folders), to notice that code was edited.

    Example:
        >>> source_digest("files.py") == source_digest("files.py") != source_digest("figures")
        True
    """
    root = Path(__file__).parent
    found = (file for part in parts for file in [root / part, *(root / part).rglob("*")])
    files = sorted(file for file in found if file.is_file() and "__pycache__" not in file.parts)
    content = b"".join(str(file.relative_to(root)).encode() + file.read_bytes() for file in files)
    return hashlib.sha256(content).hexdigest()[:16]
