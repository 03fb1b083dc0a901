import itertools

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.colors import to_rgb

from entropy_sums.figures import style


def test_unknown_models_get_looks_that_do_not_depend_on_the_others():
    alone = style.model_looks(["diffusion"])["diffusion"]
    among = style.model_looks(["vae1", "flow", "diffusion", "rbm"])
    assert among["diffusion"] == alone
    assert len(set(among.values())) == 4
    assert style.model_looks(["rbm", "diffusion", "vae1", "flow"]) == among


def test_many_unknown_models_still_differ():
    looks = style.model_looks(f"model{k}" for k in range(len(style._FURTHER_LOOKS)))
    assert len(set(looks.values())) == len(looks)


def test_quantities_can_be_told_apart_without_seeing_red_from_green():
    """Luminance-weighted distance after the deuteranopia simulation of Viénot et al. (1999)."""
    simulate = np.array([[0.29031, 0.70969, 0], [0.29031, 0.70969, 0], [-0.02197, 0.02197, 1]])
    palettes = (style.QUANTITIES.values(), style.FACTORS.values())
    for first, second in itertools.chain(*(itertools.combinations(palette, 2) for palette in palettes)):
        seen = [simulate @ np.asarray(to_rgb(color)) ** 2.2 for color in (first, second)]
        assert np.linalg.norm(seen[0] - seen[1]) > 0.1, (first, second)


def test_drawing_does_not_depend_on_the_settings_of_the_machine():
    @styled_size
    def draw():
        return mpl.rcParams["font.size"]

    with mpl.rc_context({"font.size": 30}):
        assert draw() == style.RC["font.size"]
        assert mpl.rcParams["font.size"] == 30


styled_size = style.styled


@pytest.mark.parametrize(
    ("value", "text"), [(0.0801, "0.080"), (5.04, "5.0"), (12.3, "12"), (99.9, "100"), (0.0, "0.0")]
)
def test_percent(value, text):
    assert style.percent(value) == text
