"""Files are either complete or not there, also when several write at once."""

import os
import shlex
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import entropy_sums
from entropy_sums.files import atomic, newer, source_digest


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


def test_source_digest_notices_an_edit_and_a_new_file(monkeypatch, tmp_path):
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "a.py").write_text("a = 1\n")
    (tmp_path / "files.py").write_text("")
    monkeypatch.setattr("entropy_sums.files.__file__", str(tmp_path / "files.py"))
    digests = [source_digest("part")]
    (tmp_path / "part" / "a.py").write_text("a = 2\n")
    digests.append(source_digest("part"))
    (tmp_path / "part" / "b.py").write_text("")
    digests.append(source_digest("part"))
    (tmp_path / "part" / "b.py").rename(tmp_path / "part" / "c.py")
    digests.append(source_digest("part"))
    (tmp_path / "part" / "page.html").write_text("")
    digests.append(source_digest("part"))
    (tmp_path / "other.py").write_text("")
    (tmp_path / "part" / "__pycache__").mkdir()
    (tmp_path / "part" / "__pycache__" / "a.cpython-311.pyc").write_text("")
    assert len(set(digests)) == 5
    assert source_digest("part") == digests[-1]


def test_source_digest_of_parts_that_rules_name():
    root = Path(entropy_sums.__file__).parent
    assert all((root / part).exists() for part in ("figures", "analysis", "tables", "report.py", "templates"))
    assert source_digest("figures") != source_digest("figures", "analysis")


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
