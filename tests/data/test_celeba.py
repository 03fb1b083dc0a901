"""CelebA: a dozen small pictures as the published ones, cut, scaled, split, damaged."""

import shutil
from zipfile import ZipFile

import numpy as np
import pytest
from PIL import Image

from entropy_sums.data import celeba, load
from entropy_sums.data.celeba import CelebA

NAMES = [f"{number:06}.jpg" for number in range(1, 13)]
PARTITION = "".join(f"{name} {part}\n" for name, part in zip(NAMES, "000000001222", strict=True))


def grey(name):
    """Every picture has a grey level of its own."""
    return 20 * int(name[:6])


@pytest.fixture
def folder(tmp_path):
    """Pictures of one grey level each, of which eight are listed as training part and the last three as test part."""
    pictures = tmp_path / "celeba" / "img_align_celeba"
    pictures.mkdir(parents=True)
    for name in NAMES:
        Image.new("RGB", (178, 218), (grey(name),) * 3).save(pictures / name)
    (tmp_path / "celeba" / "list_eval_partition.txt").write_text(PARTITION)
    return tmp_path / "celeba"


def settings(**values):
    return CelebA(**{"train": 8, "test": 3, "side": 4, "dequantise": False, "allow_constant": True, **values})


def levels(points):
    return sorted(np.rint(255 * points[:, 0]).astype(int).tolist())


def zipped(folder, inside):
    with ZipFile(folder / "img_align_celeba.zip", "w") as archive:
        for path in sorted((folder / "img_align_celeba").iterdir()):
            archive.write(path, f"{inside}{path.name}")
    shutil.rmtree(folder / "img_align_celeba")


@pytest.mark.parametrize("inside", [None, "img_align_celeba/", ""])
def test_listed_parts_from_a_folder_or_an_archive(folder, inside):
    plain = load(settings(), folder.parent)
    if inside is not None:
        zipped(folder, inside)
    dataset = load(settings(), folder.parent)
    assert dataset.checksum == plain.checksum
    assert levels(dataset.train) == [grey(name) for name in NAMES[:8]]
    assert levels(dataset.test) == [grey(name) for name in NAMES[9:]]
    assert dataset.train.shape == settings().shape == (8, 48)


def test_without_a_list_the_parts_lie_in_the_order_of_the_names(folder, monkeypatch):
    (folder / "list_eval_partition.txt").unlink()
    monkeypatch.setattr(celeba, "SIZES", {"train": slice(None, 5), "test": slice(7, None)})
    dataset = load(settings(train=5, test=5), folder.parent)
    assert levels(dataset.train) == [grey(name) for name in NAMES[:5]]
    assert levels(dataset.test) == [grey(name) for name in NAMES[7:]]


def test_fewer_pictures_are_drawn_by_the_data_seed(folder):
    draws = [levels(load(settings(train=4, test=2, data_seed=seed), folder.parent).train) for seed in range(4)]
    assert draws[0] == levels(load(settings(train=4, test=3), folder.parent).train)
    assert len({tuple(draw) for draw in draws}) > 1


def test_square_is_cut_out_of_the_middle_and_colours_come_last(tmp_path):
    image = np.zeros((218, 178, 3), np.uint8)
    image[35:183, 15:163] = (10, 20, 30)
    image[35:109, 15:163, 0] = 250
    Image.fromarray(image).save(tmp_path / "a.png")
    above, *_, below = celeba.square(tmp_path / "a.png", 148, 4).tolist()
    assert (above, below) == ([[250, 20, 30]] * 4, [[10, 20, 30]] * 4)
    scaled = celeba.square(tmp_path / "a.png", 148, 37)
    assert scaled.shape == (37, 37, 3)
    assert (scaled[..., 1:] == [20, 30]).all()


def test_grey_levels_are_dequantised_unless_asked_otherwise(folder):
    plain, noisy = load(settings(), folder.parent), load(settings(dequantise=True), folder.parent)
    shift = noisy.train * 256 - plain.train * 255
    assert shift.min() >= 0
    assert shift.max() <= 1
    assert len(np.unique(shift)) > shift.size / 2


def test_pictures_that_are_not_there_are_named_with_where_to_get_them(tmp_path, folder):
    assert CelebA.missing(folder.parent) is None
    empty = tmp_path / "empty"
    message = CelebA.missing(empty)
    places = f"{empty / 'celeba'} holds neither a folder img_align_celeba nor img_align_celeba.zip"
    assert message.startswith(f"{places}; get the aligned and cropped images")
    with pytest.raises(FileNotFoundError) as caught:
        load(CelebA(), empty)
    assert str(caught.value) == message
    zipped(folder, "")
    assert CelebA.missing(folder.parent) is None


def test_more_pictures_than_there_are_is_an_error(folder):
    with pytest.raises(ValueError, match="img_align_celeba: 3 pictures of the test part, not test: 4; lower it"):
        load(settings(test=4), folder.parent)


def damaged_picture(folder):
    path = folder / "img_align_celeba" / NAMES[0]
    path.write_bytes(path.read_bytes()[:100])


def small_picture(folder):
    Image.new("RGB", (100, 218)).save(folder / "img_align_celeba" / NAMES[0])


def damaged_list(folder):
    (folder / "list_eval_partition.txt").write_text("000001.jpg\n")


def damaged_archive(folder):
    zipped(folder, "")
    path = folder / "img_align_celeba.zip"
    path.write_bytes(path.read_bytes()[:-100])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (damaged_picture, r"000001\.jpg: damaged or no picture"),
        (small_picture, r"000001\.jpg: 100×218 pixels, and crop: 148 is more; lower it"),
        (damaged_list, r"list_eval_partition\.txt: not a list of file names and numbers; replace it"),
        (damaged_archive, r"img_align_celeba\.zip: damaged or no archive"),
    ],
)
def test_damage_is_named(folder, change, message):
    change(folder)
    with pytest.raises(ValueError, match=message):
        load(settings(), folder.parent)
