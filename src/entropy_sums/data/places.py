"""Local places of data files, searched before any download. Light: the workflow asks which files are available."""

from __future__ import annotations

from pathlib import Path

SYSTEM_DIR = Path("/usr/share/datasets")
"""Folder in which Debian's data packages (dataset-fashion-mnist) put their files."""


def folders(dataset: str, data_dir: Path) -> tuple[Path, Path]:
    """The user's own folder of a dataset, and the folder of Debian's package.

    Example:
        >>> [str(folder) for folder in folders("fashion_mnist", Path("data"))]
        ['data/fashion_mnist', '/usr/share/datasets/fashion-mnist']
    """
    return data_dir / dataset, SYSTEM_DIR / dataset.replace("_", "-")


def find(name: str, *folders: Path) -> Path | None:
    """The first existing file `folder/name` or `folder/name.gz`.

    Example:
        >>> find("no such file", Path("data")) is None
        True
    """
    paths = (folder / f"{name}{suffix}" for folder in folders for suffix in ("", ".gz"))
    return next((path for path in paths if path.is_file()), None)


PICTURES = "img_align_celeba"
"""Folder, or archive without its suffix, of the aligned pictures of CelebA."""


def pictures(folder: Path) -> Path | None:
    """The folder or else the .zip archive of the pictures of CelebA, if one of them is there.

    Example:
        >>> pictures(Path("no such folder")) is None
        True
    """
    plain, archive = folder / PICTURES, folder / f"{PICTURES}.zip"
    return plain if plain.is_dir() else archive if archive.is_file() else None
