"""IDX files: tiny real ones, plain and compressed, found, downloaded, damaged."""

import gzip
import hashlib
import struct
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from entropy_sums.data import idx, load, places
from entropy_sums.data.catalogue import DATASETS
from entropy_sums.data.idx import MNIST, FashionMNIST

IMAGES = {
    "train": np.random.default_rng(0).integers(256, size=(6, 3, 2), dtype=np.uint8),
    "test": np.random.default_rng(1).integers(256, size=(4, 3, 2), dtype=np.uint8),
}
NAMES = {"train": "train-images-idx3-ubyte", "test": "t10k-images-idx3-ubyte"}


def idx_bytes(images):
    return b"\0\0\x08\x03" + struct.pack(">3I", *images.shape) + images.tobytes()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def compressed(part):
    return gzip.compress(idx_bytes(IMAGES[part]), mtime=0)


@pytest.fixture(autouse=True)
def tiny_files(monkeypatch, tmp_path):
    """Publishes the tiny images at an address where nothing answers, and empties the system's folder."""
    publish(monkeypatch, "http://127.0.0.1:9")
    monkeypatch.setattr(places, "SYSTEM_DIR", tmp_path / "system")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def publish(monkeypatch, address):
    published = {
        part: idx.Published(f"{address}/{NAMES[part]}.gz", sha256(compressed(part)), sha256(idx_bytes(IMAGES[part])))
        for part in IMAGES
    }
    monkeypatch.setattr(idx, "FILES", {"mnist": published, "fashion_mnist": published})


@pytest.fixture
def server(tmp_path):
    folder = tmp_path / "server"
    folder.mkdir()
    for part in IMAGES:
        (folder / f"{NAMES[part]}.gz").write_bytes(compressed(part))
    handler = partial(SimpleHTTPRequestHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{http.server_port}"
        http.shutdown()


def put(folder, plain=True):
    folder.mkdir(parents=True)
    for part in IMAGES:
        content = idx_bytes(IMAGES[part])
        path = folder / NAMES[part] if plain else folder / f"{NAMES[part]}.gz"
        path.write_bytes(content if plain else gzip.compress(content, compresslevel=1, mtime=0))


def settings(cls=MNIST, **values):
    return cls(**{"train": 6, "test": 4, "dequantise": False, **values})


def assert_all_images(dataset):
    for part in ("train", "test"):
        expected = (IMAGES[part].reshape(len(IMAGES[part]), 6) / 255).astype(np.float32)
        assert {row.tobytes() for row in getattr(dataset, part)} == {row.tobytes() for row in expected}


@given(arrays(np.uint8, array_shapes(min_dims=3, max_dims=3, max_side=5)), st.booleans())
def test_reading_is_the_inverse_of_writing(tmp_path_factory, images, plain):
    content = idx_bytes(images)
    path = tmp_path_factory.mktemp("idx") / ("images" if plain else "images.gz")
    path.write_bytes(content if plain else gzip.compress(content, mtime=0))
    np.testing.assert_array_equal(idx.read_idx(path, sha256(content)), images.reshape(len(images), -1))


@pytest.mark.parametrize("plain", [True, False])
def test_own_folder_then_system_folder(tmp_path, plain):
    put(tmp_path / "system" / "fashion-mnist", plain)
    assert_all_images(load(settings(FashionMNIST), tmp_path))
    put(tmp_path / "fashion_mnist", plain)
    for path in (tmp_path / "system" / "fashion-mnist").iterdir():
        path.write_bytes(b"not read where the own folder has the file")
    assert_all_images(load(settings(FashionMNIST), tmp_path))


def test_settings_name_the_published_files():
    for dataset, files in idx.FILES.items():
        assert DATASETS[dataset].names == tuple(published.name for published in files.values())


@pytest.mark.parametrize("plain", [True, False])
def test_what_is_missing_is_named_with_its_places(tmp_path, plain):
    system = tmp_path / "system" / "fashion-mnist"
    message = (
        f"{NAMES['test']}(.gz) is neither in {tmp_path / 'fashion_mnist'} nor in {system}; put it into the first "
        "folder, or leave skip_missing out and it is downloaded"
    )
    put(system, plain)
    assert FashionMNIST.missing(tmp_path) is None
    next(system.glob(f"{NAMES['test']}*")).rename(tmp_path / "elsewhere")
    assert FashionMNIST.missing(tmp_path) == message
    put(tmp_path / "fashion_mnist", plain)
    assert FashionMNIST.missing(tmp_path) is None


def test_missing_files_are_downloaded_once(tmp_path, server, monkeypatch):
    folder, address = server
    publish(monkeypatch, address)
    assert_all_images(load(settings(), tmp_path))
    assert sorted(path.name for path in (tmp_path / "mnist").iterdir()) == sorted(f"{n}.gz" for n in NAMES.values())
    for path in folder.iterdir():
        path.unlink()
    assert_all_images(load(settings(), tmp_path))


def test_download_of_other_content_is_refused(tmp_path, server, monkeypatch):
    folder, address = server
    publish(monkeypatch, address)
    (folder / f"{NAMES['train']}.gz").write_bytes(compressed("test"))
    with pytest.raises(FileNotFoundError, match=r"could not be downloaded.*hash"):
        load(settings(), tmp_path)
    assert not list((tmp_path / "mnist").iterdir())


def test_without_any_source_the_error_names_all_three(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        load(settings(), tmp_path / "own")
    for place in (tmp_path / "own" / "mnist", tmp_path / "system" / "mnist", "http://127.0.0.1:9/train-images"):
        assert str(place) in str(caught.value)


GOOD = idx_bytes(IMAGES["train"])


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a", b"", "begins with , not 00000803"),
        ("a", b"\0\0\x08\x01" + GOOD[4:], "begins with 00000801, not 00000803"),
        ("a", GOOD[:10], "truncated within its header"),
        ("a", GOOD[:-1], "51 bytes, but its header promises 52"),
        ("a", GOOD + b"\0", "53 bytes, but its header promises 52"),
        ("a", GOOD[:-1] + bytes([GOOD[-1] ^ 1]), "content has SHA-256 [0-9a-f]{64}, the published file"),
        ("a.gz", GOOD, "damaged or not compressed"),
        ("a.gz", gzip.compress(GOOD, mtime=0)[:-9], "damaged or not compressed"),
        ("a.gz", gzip.compress(GOOD, mtime=0)[:12] + b"\xff" * 30, "damaged or not compressed"),
        ("a.gz", gzip.compress(GOOD[:-1], mtime=0), "51 bytes, but its header promises 52"),
    ],
    ids=lambda value: f"{len(value)} bytes" if isinstance(value, bytes) else value,
)
def test_damaged_files_are_named(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"^{path}: .*{message}"):
        idx.read_idx(path, sha256(GOOD))


def test_fewer_images_are_a_random_choice_that_grows(tmp_path):
    put(tmp_path / "mnist")
    everything = load(settings(), tmp_path)
    few, more = (load(settings(train=count, allow_constant=True), tmp_path) for count in (2, 4))
    np.testing.assert_array_equal(few.train, more.train[:2])
    np.testing.assert_array_equal(more.train, everything.train[:4])


def test_too_few_images_are_named(tmp_path):
    put(tmp_path / "mnist")
    with pytest.raises(ValueError, match=r"train: 7 .*exceed the 6 points"):
        load(settings(train=7), tmp_path)


DEBIAN = Path("/usr/share/datasets/fashion-mnist")


@pytest.mark.skipif(not DEBIAN.is_dir(), reason="Debian's package dataset-fashion-mnist is not installed")
def test_fashion_mnist_of_debian(tmp_path, monkeypatch):
    monkeypatch.undo()
    dataset = load(FashionMNIST(train=1000, test=500), tmp_path)
    assert (dataset.train.shape, dataset.test.shape) == ((1000, 784), (500, 784))
