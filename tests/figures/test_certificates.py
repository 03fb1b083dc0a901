"""The residuals of certificates: every verdict is a line, coloured by what it says."""

import matplotlib.colors as mc

from entropy_sums.certificates.verdict import Verdict
from entropy_sums.figures import certificates, style

MORE = ("", 1.0, 1.0, 90)
FOUND = [
    Verdict("vae1", "pca", "", "prior", True, "0", 1e-12, 0.0, 5, 20, 120, *MORE),
    Verdict("vae1", "pca", "", "total", True, "0", 1e-11, 1e-13, 5, 20, 120, *MORE),
    Verdict("vae0", "pca", "beta=2.0", "total", False, "no direction", 0.5, 1e-2, 5, 20, 120, *MORE),
    Verdict("vae0", "pca", "beta=4.0", "total", False, "no direction", 0.1, 1e-3, 5, 20, 120, *MORE),
]


def test_a_line_per_verdict_in_the_row_of_its_factor():
    (ax,) = certificates.draw(FOUND).axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["VAE-1: prior", "VAE-1: total", "VAE-0: total"]
    threshold, *lines = ax.lines
    assert threshold.get_xdata()[0] == certificates.THRESHOLD
    assert [line.get_ydata()[0] for line in lines] == [0, 1, 2, 2]
    assert [line.get_xdata()[1] for line in lines] == [verdict.residual for verdict in FOUND]
    colors = [style.CERTIFIED, style.CERTIFIED, style.UNCERTIFIED, style.UNCERTIFIED]
    assert [mc.to_hex(line.get_color()).upper() for line in lines] == colors


def test_an_exact_zero_is_on_the_axis():
    (ax,) = certificates.draw(FOUND).axes
    assert ax.lines[1].get_xdata()[0] == certificates.LOWEST > ax.get_xlim()[0]


def test_the_caption_says_how_far_apart_they_are():
    said = certificates.caption(FOUND)
    assert said.endswith("Verdicts that hold: 2, residuals up to 1.0e-11; that do not: 2, from 1.0e-03 on.")
    assert certificates.caption(FOUND[:2]).endswith("Verdicts that hold: 2, residuals up to 1.0e-11; that do not: 0.")
