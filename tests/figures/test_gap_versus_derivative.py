import numpy as np
import pytest

from entropy_sums.figures import gap_versus_derivative
from example import example_tree


@pytest.fixture
def tree():
    return example_tree(flaws=False)


def test_every_certified_point_lies_near_the_identity(tree):
    figure = gap_versus_derivative.draw(tree)
    for ax in figure.axes:
        points = np.concatenate([collection.get_offsets() for collection in ax.collections])
        np.testing.assert_allclose(points[:, 0], points[:, 1], rtol=2e-6)
        low, high = ax.get_xlim()
        assert low == -high
        assert np.abs(points).max() < high
    factors = {"linearvae": 2, "vae0": 1, "vae1": 2, "vae3": 2}
    sizes = tree["vae1"].sizes
    per_factor = sizes["latent_dim"] * sizes["seed"] * sizes["step"]
    assert [len(c.get_offsets()) for c in figure.axes[0].collections] == [n * per_factor for n in factors.values()]


def test_the_caption_gives_the_largest_distance(tree):
    ds = tree["vae1"].to_dataset().copy(deep=True)
    ds["directional_derivative"][{axis: 0 for axis in ds["directional_derivative"].dims}] += 0.25
    groups = {name: node.to_dataset() for name, node in tree.children.items()} | {"vae1": ds}
    changed = type(tree).from_dict({"/": tree.to_dataset(), **groups})
    assert "The largest distance from the identity is 2.5e-01 nats" in gap_versus_derivative.caption(changed)


def test_a_study_without_certificates_says_so(tree):
    groups = {name: node.to_dataset().drop_vars("directional_derivative") for name, node in tree.children.items()}
    bare = type(tree).from_dict({"/": tree.to_dataset(), **groups})
    assert gap_versus_derivative.draw(bare).axes[0].texts[0].get_text() == "no certified factor"
    assert "No factor of this study has a certificate." in gap_versus_derivative.caption(bare)
