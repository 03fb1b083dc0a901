"""Numbers and names as tables say them."""

import numpy as np
import pandas as pd
import pytest

from entropy_sums.tables import TABLES, words

FINAL = TABLES["final"]


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((-9.2103, 0.0523), "-9.210 (0.052)"),
        ((324.66, 14.63), "325 (15)"),
        ((1234.5, 321.0), "1234 (321)"),
        ((-0.001, 0.3), "0.00 (0.30)"),
        ((2.0, 0.0), "2 (0)"),
        ((2.0, np.nan), "2 (nan)"),
        ((np.nan, 1.0), "–"),
    ],
)
def test_with_a_standard_deviation(numbers, text):
    assert words.with_standard_deviation(*numbers) == text


def test_latex(frame):
    frame = frame.assign(dataset=frame["dataset"].replace("pca", "my&data_set"))
    text = words.latex(FINAL, frame)
    lines = text.splitlines()
    assert [line for line in lines if "rule" in line] == ["\\toprule", "\\midrule", "\\bottomrule"]
    assert "my\\&data set" in text
    assert "gap (\\%)" in text
    assert "_" not in text.replace("\\_", "")
    body = lines[lines.index("\\midrule") + 1 : -2]
    assert len(body) == 16
    assert all(line.count(" & ") == len(words.display(FINAL, frame).columns) - 1 for line in body)
    assert all(line.count("$") % 2 == 0 for line in body)
    assert "$-$50.30 [$-$50.49, $-$50.07]" in body[2]
    assert body[3].startswith("linear VAE & digits & 4 & 0 & 0 & 8 & -- & --")


def test_a_table_that_was_read_from_its_csv_reads_the_same(frame, tmp_path):
    frame.to_csv(tmp_path / "final.csv", index=False)
    read = pd.read_csv(tmp_path / "final.csv")
    pd.testing.assert_frame_equal(words.display(FINAL, read), words.display(FINAL, frame))


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((-12.3456, -12.4111, -12.3001), "-12.35 [-12.41, -12.30]"),
        ((1234.5, 1100.0, 1400.0), "1230 [1100, 1400]"),
        ((-0.001, -0.02, 0.3), "0.00 [-0.02, 0.30]"),
        ((-1.23e-5, -1.5e-5, 1.3e-5), "(-1.2 [-1.5, 1.3])e-5"),
        ((2.0, 2.0, 2.0), "2"),
        ((-3.14159, np.nan, np.nan), "-3.142"),
        ((np.nan, np.nan, np.nan), "–"),
    ],
)
def test_rounded_to_the_precision_of_the_interval(numbers, text):
    assert words.rounded(*numbers) == text


def test_small_numbers_in_latex():
    assert words._mathematics("(-1.2 [-1.5, 1.3])e-5") == "($-$1.2 [$-$1.5, 1.3])$\\times10^{-5}$"
    assert words._mathematics("1e-05") == "1$\\times10^{-5}$"
