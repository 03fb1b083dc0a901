"""CelebA: aligned pictures of faces in a folder or an archive."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Annotated
from zipfile import BadZipFile, ZipFile
from zipfile import Path as ZipPath

import numpy as np
from pydantic import Field, PositiveInt

from entropy_sums.data import places
from entropy_sums.data.base import CountedImageSettings
from entropy_sums.data.preparation import prepare_images, split

PARTITION = "list_eval_partition.txt"

PARTS = {"train": "0", "test": "2"}
"""Part → its number in the partition; 1 is the validation part."""

SIZES = {"train": slice(None, 162_770), "test": slice(162_770 + 19_867, None)}
"""Part → its slice of the sorted file names; the validation part lies between the two."""


def partition(names: Iterable[str], listed: Path) -> dict[str, list[str]]:
    """Names of the pictures of the training and test part: as listed, or by sorted file name where there is no list.

    Raises ValueError where the list is not one of names and numbers.

    Example:
        >>> {part: len(names) for part, names in partition(map(str, range(202_599)), Path("no such file")).items()}
        {'train': 162770, 'test': 19962}
    """
    names = sorted(names)
    if not listed.is_file():
        return {part: names[where] for part, where in SIZES.items()}
    lines = [line.split() for line in listed.read_text().splitlines()]
    if any(len(line) != 2 for line in lines):
        raise ValueError(f"{listed}: not a list of file names and numbers; replace it")
    numbers = dict(lines)
    return {part: [name for name in names if numbers.get(name) == number] for part, number in PARTS.items()}


@contextmanager
def _opened(source: Path) -> Iterator[dict[str, Path | ZipPath]]:
    """Name → picture, of a folder or an archive."""
    if source.is_dir():
        yield _pictures(source)
        return
    try:
        archive = ZipFile(source)
    except BadZipFile as error:
        raise ValueError(f"{source}: damaged or no archive ({error}); delete it or replace it") from error
    with archive:
        whole = ZipPath(archive)
        inner = whole / places.PICTURES
        yield _pictures(inner if inner.is_dir() else whole)


def _pictures(folder: Path | ZipPath) -> dict[str, Path | ZipPath]:
    return {path.name: path for path in folder.iterdir() if path.name.endswith(".jpg")}


def square(picture: Path | ZipPath, crop: int, side: int) -> np.ndarray:
    """The middle of a picture, `crop` × `crop` pixels, scaled to (side, side, 3) unsigned bytes.

    Raises ValueError, naming the picture, where it is damaged or smaller than `crop`.
    """
    # Planning imports this file, and has no use for pictures
    from PIL import Image

    try:
        with Image.open(BytesIO(picture.read_bytes())) as opened:
            whole = opened.convert("RGB")
    except (OSError, BadZipFile, zlib.error) as error:
        raise ValueError(f"{picture}: damaged or no picture ({error}); replace it") from error
    if min(whole.size) < crop:
        raise ValueError(f"{picture}: {whole.width}×{whole.height} pixels, and crop: {crop} is more; lower it")
    left, top = (whole.width - crop) // 2, (whole.height - crop) // 2
    return np.asarray(whole.crop((left, top, left + crop, top + crop)).resize((side, side), Image.Resampling.BILINEAR))


class CelebA(CountedImageSettings):
    """Faces in colour: the square in the middle of the published aligned pictures; `data_seed` draws fewer of them.

    Training points are from the published training part, held-out points from the test part. Without the published
    partition, the parts follow the sorted file names. Red, green and blue of a pixel are side by side.

    Example:
        >>> CelebA(train=100, side=32).shape
        (100, 3072)
    """

    name = "celeba"
    label = "CelebA"
    source = "CelebA; Liu et al. (ICCV 2015)"

    train: Annotated[int, Field(ge=2, le=162_770)] = 10_000
    """Number of training images, of the 162,770 in the training part; each takes 12 bytes per pixel."""
    test: Annotated[int, Field(ge=2, le=19_962)] = 2_000
    """Number of held-out images, of the 19,962 in the test part."""
    crop: Annotated[int, Field(ge=1, le=178)] = 148
    """Side of the square that is cut out of the middle of the published 178×218 pixels."""
    side: PositiveInt = 64
    """Number of pixels per side, to which the square is scaled."""

    @property
    def shape(self) -> tuple[int, int]:
        return self.train, 3 * self.side**2

    @classmethod
    def missing(cls, data_dir: Path) -> str | None:
        folder = data_dir / cls.name
        if places.pictures(folder) is not None:
            return None
        return (
            f"{folder} holds neither a folder {places.PICTURES} nor {places.PICTURES}.zip; get the aligned and cropped "
            "images, and list_eval_partition.txt, from https://mmlab.ie.cuhk.edu.hk/projects/CelebA.html"
        )

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """Pictures of the published training and test part, or a random choice where fewer are asked for.

        Pictures are `img_align_celeba/*.jpg` in `data_dir`/celeba, or in `img_align_celeba.zip` there.
        Raises FileNotFoundError, saying where to get them, where none are there, and ValueError for a damaged archive
        or picture and for fewer pictures than are asked for.
        """
        folder = data_dir / self.name
        source = places.pictures(folder)
        if source is None:
            raise FileNotFoundError(self.missing(data_dir))
        arrays = {}
        with _opened(source) as found:
            parts = partition(found, folder / PARTITION)
            for (part, names), part_generator in zip(parts.items(), generator.spawn(2), strict=True):
                order, noise = part_generator.spawn(2)
                wanted = getattr(self, part)
                if wanted > len(names):
                    raise ValueError(
                        f"{source}: {len(names)} pictures of the {part} part, not {part}: {wanted}; lower it"
                    )
                chosen, _ = split(np.array(names), wanted, 0, order)
                pixels = np.stack([square(found[str(name)], self.crop, self.side) for name in chosen])
                arrays[part] = prepare_images(pixels.reshape(len(pixels), -1), 255, self, noise)
        return arrays
