import pytest

from example import example_tree


@pytest.fixture(scope="session")
def study():
    """Four models, two datasets, two latent sizes; runs that diverged, ended early or are missing."""
    return example_tree()


@pytest.fixture(scope="session")
def swept():
    """A further axis."""
    axes = {"dataset": ["digits"], "latent_dim": [2, 4], "learning_rate": [0.001, 0.005, 0.01], "seed": range(4)}
    return example_tree(axes, ["vae1", "vae2"])


@pytest.fixture(scope="session")
def single():
    """One run."""
    return example_tree({"dataset": ["digits"], "latent_dim": [4], "seed": [0]}, ["vae1"])
