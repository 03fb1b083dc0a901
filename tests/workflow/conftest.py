import pytest

from workspace import Workspace


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(tmp_path)


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Workspace:
    """A tiny study that has been run to its end; tests read it."""
    space = Workspace(tmp_path_factory.mktemp("finished"))
    space.run()
    return space
