"""Files are either complete or not there, also when several write at once."""

import os
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import entropy_sums
from entropy_sums.files import atomic, newer, source_digest
from entropy_sums.study import pictures


def test_a_file_appears_whole_and_its_folder_with_it(tmp_path):
    path = tmp_path / "new" / "folder" / "a.nc"
    with atomic(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
        assert (temporary.parent, temporary.suffix) == (path.parent, ".nc")
    assert path.read_text() == "whole"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_what_was_there(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail():
        with atomic(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("power cut")

    with pytest.raises(RuntimeError, match="power cut"):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


KILLED = """
import os, signal, sys
from pathlib import Path
from entropy_sums.files import atomic
with atomic(Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    if sys.argv[2] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    print(temporary.name, flush=True)
    sys.stdin.read()
"""


def writer(path, end):
    command = [sys.executable, "-c", KILLED, str(path), end]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_what_a_killed_writer_left_is_removed_and_nothing_else(tmp_path):
    path, other = tmp_path / "a.nc", tmp_path / "a.nc.b.nc"
    for killed in (path, other):
        with writer(killed, "killed") as process:
            assert process.wait() == -9
    foreign = tmp_path / ".a.nc.0123abcd-1.xyz.nc"
    foreign.touch()
    of_others = {file for file in tmp_path.iterdir() if file.name.startswith(".a.nc.b.nc")} | {foreign}
    assert len(list(tmp_path.iterdir())) == 3
    with writer(path, "alive") as alive:
        writing = tmp_path / alive.stdout.readline().strip()
        assert {*tmp_path.iterdir()} == of_others | {writing}
        with atomic(path) as temporary:
            temporary.write_text("whole")
        assert {*tmp_path.iterdir()} == of_others | {writing, path}
        alive.communicate()
    assert {*tmp_path.iterdir()} == of_others | {path}
    assert path.read_text() == "half", "the last one to end wins"


def test_a_file_is_no_longer_newer_when_a_source_changes(tmp_path):
    source, path = tmp_path / "points.npy", tmp_path / "data.nc"
    source.touch()
    assert not newer(path, [source])
    path.touch()
    os.utime(source, (0, 0))
    assert newer(path, [source])
    os.utime(path, (0, 0))
    os.utime(source, (1, 1))
    assert not newer(path, [source])


def test_of_two_writers_the_last_wins(tmp_path):
    path = tmp_path / "a.txt"
    with atomic(path) as first, atomic(path) as second:
        assert first != second
        first.write_text("first")
        second.write_text("second")
    assert path.read_text() == "first"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_permissions_are_those_of_any_new_file(tmp_path, mask):
    before = os.umask(mask)
    try:
        with atomic(tmp_path / "a") as temporary:
            temporary.write_text("")
        (tmp_path / "plain").write_text("")
    finally:
        os.umask(before)
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "plain")}
    assert modes == {0o666 & ~mask}


@pytest.fixture
def package(monkeypatch, tmp_path):
    """A small package in place of ours; a function that writes one of its files."""
    root = tmp_path / "small"

    def write(name, text):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)

    write("__init__.py", "import small.unrelated\n")
    write("unrelated.py", "")
    write("files.py", "")
    write("draw/__init__.py", "from small.names import said\n")
    write("draw/style.py", "import math\n")
    write("draw/curve.py", "from small.draw import style\n")
    write("draw/bars.py", "def draw():\n    import small.draw.style\n")
    write("draw/dots.py", "from math import style\n")
    write("names.py", "")
    write("templates/page.html", "")
    monkeypatch.setattr("entropy_sums.files.__file__", str(root / "files.py"))
    return write


PARTS = (("draw.curve",), ("draw.bars",), ("draw.dots",), ("draw.*",), ("names",), ("names", "templates"))


@pytest.mark.parametrize(
    ("edited", "changed"),
    [
        ("draw/style.py", {"draw.curve", "draw.bars", "draw.*"}),
        ("draw/curve.py", {"draw.curve", "draw.*"}),
        ("draw/new.py", {"draw.*"}),
        ("draw/__init__.py", {"draw.curve", "draw.bars", "draw.dots", "draw.*"}),
        ("names.py", {"draw.curve", "draw.bars", "draw.dots", "draw.*", "names", "names templates"}),
        ("templates/page.html", {"names templates"}),
        ("templates/more.html", {"names templates"}),
        ("unrelated.py", set()),
        ("__init__.py", set()),
        ("draw/__pycache__/style.py", set()),
        ("templates/__pycache__/page.html", set()),
    ],
)
def test_source_digest_follows_imports(package, edited, changed):
    """Those in functions, too, and those of the packages that a module is in."""
    before = {" ".join(parts): source_digest(*parts) for parts in PARTS}
    package(edited, "from small.names import said\nsaid = 1\n" if edited.endswith(".py") else "edited")
    assert {name for name in before if source_digest(*name.split()) != before[name]} == changed


def test_source_digest_of_what_is_not_there_is_refused(package):
    with pytest.raises(ValueError, match=r"'draw\.lines' is no module or folder of small"):
        source_digest("draw.lines")


FIGURES = ["certificates", *pictures.FIGURES]
STYLE, TRACES, PANELS = (Path("figures") / f"{name}.py" for name in ("style", "traces", "panels"))


@pytest.mark.parametrize(
    ("edited", "changed"),
    [
        (STYLE, set(FIGURES)),
        (Path("quantities.py"), set(FIGURES)),
        (PANELS, {"panels"}),
        (TRACES, {"traces", "panels"}),
        (Path("analysis/subsets.py"), {"variance_reduction"}),
        (Path("training/pack.py"), set()),
        (Path("models/vae/vae.py"), set()),
    ],
    ids=lambda value: str(value) if isinstance(value, Path) else "",
)
def test_an_edit_makes_the_figures_old_that_it_may_change(monkeypatch, tmp_path, edited, changed):
    root = tmp_path / "entropy_sums"
    shutil.copytree(Path(entropy_sums.__file__).parent, root, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
    monkeypatch.setattr("entropy_sums.files.__file__", str(root / "files.py"))
    modules = {name: pictures.FIGURES[name].modules for name in pictures.FIGURES}
    modules["certificates"] = ("figures.certificates",)
    before = {name: source_digest(*parts) for name, parts in modules.items()}
    with (root / edited).open("a") as file:
        file.write("\n# edited\n")
    assert {name for name, parts in modules.items() if source_digest(*parts) != before[name]} == changed


STUDY = """
study: s
axes: {model: [vae1], dataset: [pca], seed: {count: 16}}
settings: {train: 100, test: 50}
results: .
training: {phases: [{steps: 300, batch_size: 20}], evaluation: {every: 2, certificate: false}}
"""


@pytest.mark.parametrize(("seconds", "last"), [("0.1", "seed=0-15.checkpoint"), ("60", "seed=0-15.nc")])
def test_a_full_disk_is_said_in_one_line(tmp_path, seconds, last):
    """A real one of 300 kB, in a name space of its own; safetensors and netCDF have errors of their own for it."""
    (tmp_path / "study.yaml").write_text(STUDY)
    (tmp_path / "disk").mkdir()
    train = [sys.executable, "-m", "entropy_sums.cli", "train", "../study.yaml", "vae1/pca/seed=0-15"]
    command = f"mount -t tmpfs -o size=300k none disk && cd disk && {shlex.join(train)} --checkpoint-seconds {seconds}"
    done = subprocess.run(["unshare", "-rm", "sh", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(f"no mounts for this user: {done.stderr}")
    *_, said = done.stderr.splitlines()
    assert done.returncode == 2, done.stderr
    assert said.startswith("entropy-sums train: [Errno 28] No space left on device: free some space")
    assert said.endswith(f"{last}'")
