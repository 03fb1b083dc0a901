"""Type and shape checks on in every test; one thread per process, as in training."""

import os
import sys
from functools import partial
from importlib import import_module
from types import ModuleType

from beartype import BeartypeConf, beartype
from jaxtyping import install_import_hook

os.environ.setdefault("OMP_NUM_THREADS", "1")
typechecker = ModuleType("typechecker")
typechecker.check = partial(beartype, conf=BeartypeConf(is_pep484_tower=True))  # pyright: ignore
sys.modules["typechecker"] = typechecker
install_import_hook("entropy_sums", "typechecker.check")
import_module("entropy_sums.mkl").unlock()  # before torch, as in every job

import pytest  # noqa: E402
import torch  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

torch.set_num_threads(1)
# The same examples at every CI run, so that a commit is judged by its change; new ones on a developer's machine.
settings.register_profile(
    "tests", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("tests")


def pytest_addoption(parser):
    parser.addoption("--write-golden", action="store_true", help="write the golden numbers anew")


TOGETHER = ("tests/slurm/", "tests/workflow/test_add_a_model.py", "tests/workflow/test_finished.py")
"""Where tests share a cluster, or a study that takes a while to run: each of these goes to one worker."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Any test to any worker but for these; xdist's own groups are lost with pytest 9.2 (its issue 1386)."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return next((place for place in TOGETHER if nodeid.startswith(place)), nodeid)

    return Together(config, log)


@pytest.fixture
def float64():
    """Everything that is built without saying otherwise is float64."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.fixture(autouse=True)
def _no_global_randomness():
    """No code may draw from the global generator."""
    before = torch.get_rng_state()
    yield
    assert torch.equal(before, torch.get_rng_state()), "the global random number generator was used"


@pytest.fixture(autouse=True)
def _denormal_numbers():
    """Training in the process of a test makes denormal numbers zero; other tests are to see them."""
    yield
    torch.set_flush_denormal(False)
