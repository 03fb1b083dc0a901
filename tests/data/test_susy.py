"""SUSY: a table of 50 rows as the published one, read, standardised, damaged."""

import gzip
from pathlib import Path

import numpy as np
import pytest

from entropy_sums.data import load, susy
from entropy_sums.data.susy import SUSY

ROWS = np.random.default_rng(0).normal(3.0, 2.0, (50, 18)).astype(np.float32)


@pytest.fixture(autouse=True)
def held_out_from_row_40(monkeypatch):
    monkeypatch.setattr(susy, "FIRST_HELD_OUT", 40)


def put(folder, rows=ROWS, plain=False):
    """Labels in the first column, as published."""
    text = "".join(f"{index % 2}.0," + ",".join(map(repr, row.tolist())) + "\n" for index, row in enumerate(rows))
    path = folder / "susy" / ("SUSY.csv" if plain else "SUSY.csv.gz")
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(text.encode() if plain else gzip.compress(text.encode()))
    return path


@pytest.mark.parametrize("plain", [True, False])
def test_first_rows_and_first_held_out_rows_standardised_by_the_training_points(tmp_path, plain):
    put(tmp_path, plain=plain)
    dataset = load(SUSY(train=30, test=10), tmp_path)
    mean, std = ROWS[:30].astype(float).mean(axis=0), ROWS[:30].astype(float).std(axis=0)
    np.testing.assert_allclose(dataset.train, (ROWS[:30] - mean) / std, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(dataset.test, (ROWS[40:] - mean) / std, rtol=1e-5, atol=1e-6)
    assert SUSY(train=30, test=10).shape == dataset.train.shape


def test_noise_is_drawn_by_the_data_seed(tmp_path):
    put(tmp_path)
    clean, noisy, other = (
        load(SUSY(train=30, test=10, **more), tmp_path).train
        for more in ({}, {"noise": 0.1}, {"noise": 0.1, "data_seed": 1})
    )
    assert 0.08 < (noisy - clean).std() < 0.12
    assert not np.isin(noisy, other).any()


def test_a_file_that_is_not_there_is_named_with_where_to_get_it(tmp_path):
    message = f"SUSY.csv(.gz) is not in {tmp_path / 'susy'}; get it from https://archive.ics.uci.edu/dataset/279/susy"
    assert SUSY.missing(tmp_path) == message
    with pytest.raises(FileNotFoundError) as caught:
        load(SUSY(), tmp_path)
    assert str(caught.value) == message
    put(tmp_path)
    assert SUSY.missing(tmp_path) is None


def damaged(path: Path):
    path.write_bytes(path.read_bytes()[:-100])


def not_compressed(path: Path):
    path.write_text("1.0,2.0\n")


def words(path: Path):
    path.write_bytes(gzip.compress(b"label," * 18 + b"last\n"))


def narrow(path: Path):
    path.write_bytes(gzip.compress(b"1.0,2.0\n" * 50))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (damaged, "damaged or no table of numbers"),
        (not_compressed, "damaged or no table of numbers"),
        (words, "damaged or no table of numbers"),
        (narrow, "2 columns instead of 19; delete it"),
    ],
)
def test_a_damaged_file_is_named(tmp_path, change, message):
    path = put(tmp_path)
    change(path)
    with pytest.raises(ValueError, match=rf"^{path}: {message}"):
        load(SUSY(train=30, test=10), tmp_path)


@pytest.mark.parametrize("rows", [20, 30, 45])
def test_a_part_of_the_file_is_named(tmp_path, rows):
    path = put(tmp_path, ROWS[:rows])
    with pytest.raises(ValueError, match=rf"^{path}: \d+ of rows \d+ to \d+ are there; replace it"):
        load(SUSY(train=30, test=10), tmp_path)
