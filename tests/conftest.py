"""Setup of all tests: type and shape checks, and one thread per process, as in training."""

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
# CI runs use the same examples, so that a commit is judged by its change; a developer's machine uses new ones.
settings.register_profile(
    "tests", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize="CI" in os.environ
)
settings.load_profile("tests")


def pytest_addoption(parser):
    parser.addoption("--write-golden", action="store_true", help="write the golden numbers anew")


TOGETHER = ("tests/slurm/", "tests/workflow/test_add_a_model.py", "tests/workflow/test_finished.py")
"""Paths of tests that share a cluster, or a study that takes a while to run: each path goes to one worker."""


SLOW = (
    "src/entropy_sums/figures/",
    "src/entropy_sums/reference.py",
    "src/entropy_sums/report.py",
    "src/entropy_sums/study/tables.py",
    "src/entropy_sums/tables/",
    "tests/slurm/",
    "tests/workflow/",
    "tests/models/",
    "tests/training/",
    "tests/figures/",
    "tests/traces/",
    "tests/analysis/",
    "tests/data/test_declarations.py",
    "tests/data/test_truths.py",
    "tests/distributions/test_closed_forms.py",
    "tests/distributions/test_family.py",
    "tests/study/test_blocks.py",
    "tests/study/test_fitting.py",
    "tests/study/test_grid.py",
    "tests/study/test_plan.py",
    "tests/study/test_plugins.py",
    "tests/study/test_shipped.py",
    "tests/tables/",
    "tests/test_bench.py",
    "tests/test_bound.py",
    "tests/test_certificates.py",
    "tests/test_certify.py",
    "tests/test_cli.py",
    "tests/test_estimators.py",
    "tests/test_files.py",
    "tests/test_mkl.py",
    "tests/test_progress.py",
    "tests/test_reference.py",
    "tests/test_report.py",
    "tests/test_status.py",
)
QUICK = ("tests/models/test_models.py", "tests/models/test_directions.py", "tests/training/test_golden.py")
"""What `make quick` leaves out, as it takes long, and what it has of that all the same."""


def pytest_collection_modifyitems(items):
    for item in items:
        if item.nodeid.startswith(SLOW) and not item.nodeid.startswith(QUICK):
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Send any test to any worker, except `TOGETHER`; xdist's own groups are lost with pytest 9.2 (its issue 1386)."""
    from xdist.scheduler import LoadScopeScheduling

    class Together(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return next((place for place in TOGETHER if nodeid.startswith(place)), nodeid)

    return Together(config, log)


@pytest.fixture
def float64():
    """Set the default type to float64."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.fixture(autouse=True)
def _no_global_randomness():
    """Check that no code draws from the global generator."""
    before = torch.get_rng_state()
    yield
    assert torch.equal(before, torch.get_rng_state()), "the global random number generator was used"


@pytest.fixture(autouse=True)
def _denormal_numbers():
    """Allow denormal numbers again after a test: training makes them zero in its process, and other tests need them."""
    yield
    torch.set_flush_denormal(False)
