"""Images in the IDX format: MNIST and Fashion-MNIST, found locally or downloaded, always verified by SHA-256."""

from __future__ import annotations

import gzip
import hashlib
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from entropy_sums.data import places
from entropy_sums.data.base import CountedImageSettings
from entropy_sums.data.preparation import prepare_images, split

_MAGIC = bytes([0, 0, 8, 3])  # unsigned bytes, 3 axes


@dataclass(frozen=True)
class Published:
    """An IDX file as its authors published it: SHA-256 of the compressed file and of its content.

    The content identifies the file: Debian compressed the same bytes anew.

    Example:
        >>> FILES["mnist"]["test"].name
        't10k-images-idx3-ubyte'
    """

    url: str
    compressed_sha256: str
    content_sha256: str

    @property
    def name(self) -> str:
        """Name of the uncompressed file."""
        return self.url.rsplit("/", 1)[1].removesuffix(".gz")


_MNIST_URL = "https://storage.googleapis.com/cvdf-datasets/mnist"

_FASHION_URL = "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion"

FILES: dict[str, dict[str, Published]] = {
    "mnist": {
        "train": Published(
            f"{_MNIST_URL}/train-images-idx3-ubyte.gz",
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        "test": Published(
            f"{_MNIST_URL}/t10k-images-idx3-ubyte.gz",
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
    },
    "fashion_mnist": {
        "train": Published(
            f"{_FASHION_URL}/train-images-idx3-ubyte.gz",
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        ),
        "test": Published(
            f"{_FASHION_URL}/t10k-images-idx3-ubyte.gz",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        ),
    },
}
"""The image files of each dataset, by the part that they become."""


def find(published: Published, dataset: str, data_dir: Path) -> Path:
    """Path of the file, compressed or not: in `data_dir`/<dataset>, Debian's folder, or downloaded into the first.

    Raises FileNotFoundError, naming the three places, where none has it.
    """
    own, system = places.folders(dataset, data_dir)
    if found := places.find(published.name, own, system):
        return found
    import pooch

    try:
        return Path(pooch.retrieve(published.url, f"sha256:{published.compressed_sha256}", f"{published.name}.gz", own))
    except (OSError, ValueError) as error:
        raise FileNotFoundError(
            f"{published.name}(.gz) of {dataset} is neither in {own} nor in {system}, and could not be downloaded from "
            f"{published.url} ({error}); put the file into the first folder"
        ) from error


def read_idx(path: Path, sha256: str) -> np.ndarray:
    """Pixels of an IDX file of images, plain or .gz, as unsigned bytes of shape (images, pixels).

    Raises ValueError, naming the file, where it is truncated, has another format or another content than `sha256`.
    Source: the IDX format: two zero bytes, a type, the number of axes, their lengths as big-endian 32-bit integers.
    """
    content = path.read_bytes()
    if path.suffix == ".gz":
        try:
            content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"{path}: damaged or not compressed ({error}); delete it or replace it") from error
    if content[:4] != _MAGIC:
        raise ValueError(f"{path}: begins with {content[:4].hex()}, not {_MAGIC.hex()}: not an IDX file of images")
    header = 16
    if len(content) < header:
        raise ValueError(f"{path}: truncated within its header; delete it or replace it")
    count, height, width = struct.unpack(">3I", content[4:header])
    if len(content) != (size := header + count * height * width):
        raise ValueError(f"{path}: {len(content)} bytes, but its header promises {size}; delete it or replace it")
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise ValueError(f"{path}: content has SHA-256 {found}, the published file {sha256}; delete it or replace it")
    return np.frombuffer(content, np.uint8, offset=header).reshape(count, height * width)


class IdxSettings(CountedImageSettings):
    """Images in two IDX files, the published training and test set; fewer images are drawn by `data_seed`."""

    train: Annotated[int, Field(ge=2, le=60_000)] = 60_000
    """Number of training images, of the 60,000 in the training file."""
    test: Annotated[int, Field(ge=2, le=10_000)] = 10_000
    """Number of held-out images, of the 10,000 in the test file."""

    names: ClassVar[tuple[str, str]] = ("train-images-idx3-ubyte", "t10k-images-idx3-ubyte")

    @classmethod
    def missing(cls, data_dir: Path) -> str | None:
        own, system = places.folders(cls.name, data_dir)
        absent = [name for name in cls.names if places.find(name, own, system) is None]
        if not absent:
            return None
        return (
            f"{absent[0]}(.gz) is neither in {own} nor in {system}; put it into the first folder, or leave "
            "skip_missing out and it is downloaded"
        )

    def arrays(self, data_dir: Path, generator: np.random.Generator) -> dict[str, np.ndarray]:
        """Images of the published training and test files, or a random choice where fewer are asked for.

        Each file is looked for in `data_dir`/<name>, then in the folder of Debian's package, then downloaded into the
        first. Raises FileNotFoundError, naming the three places, where none has it, and ValueError for a file that is
        not the published one.
        """
        arrays = {}
        for (part, published), part_generator in zip(FILES[self.name].items(), generator.spawn(2), strict=True):
            order, noise = part_generator.spawn(2)
            pixels = read_idx(find(published, self.name, data_dir), published.content_sha256)
            chosen, _ = split(pixels, getattr(self, part), 0, order)
            arrays[part] = prepare_images(chosen, 255, self, noise)
        return arrays


class MNIST(IdxSettings):
    """Handwritten digits, 28×28 pixels of 256 grey levels."""

    name = "mnist"
    label = "MNIST"
    source = "MNIST; LeCun et al. (1998)"


class FashionMNIST(IdxSettings):
    """Pictures of clothes, 28×28 pixels of 256 grey levels."""

    name = "fashion_mnist"
    label = "Fashion-MNIST"
    source = "Fashion-MNIST; Xiao et al. (arXiv 1708.07747)"
