"""Status: every state from real files, a real job killed and taken up again, rates, and nothing heavy imported."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import h5py
import numpy as np
import pytest
from safetensors.numpy import save_file

from entropy_sums.cli import main
from entropy_sums.progress import FAILED, INTERRUPTED, RUNNING, Progress, Reporter
from entropy_sums.status import HOUR, LINES_SHOWN, LISTED, SILENCE, TAIL, State, as_text, look
from entropy_sums.study.grid import Grid
from entropy_sums.study.schema import Study, read

ROOT = Path(__file__).parents[1]
JOB = "vae1/pca/seed=0-1"
STEPS = 1000
SILENT = SILENCE + 60


class Folder:
    """The files of a study of five jobs of two runs each, written by hand with the times that a test wants."""

    def __init__(self, results, seeds=10):
        axes = {"model": ["vae1"], "dataset": ["pca"], "seed": list(range(seeds))}
        training = {"phases": [{"steps": STEPS}]}
        self.grid = Grid(Study(study="a", axes=axes, pack={"size": 2}, results=results, training=training), "a.yaml")
        self.jobs = list(self.grid.jobs)

    def _aged(self, path, age):
        os.utime(path, (time.time() - age,) * 2)

    def trace(self, job=JOB, age=0.0, seconds=None):
        """Without `seconds` it is none that could be read."""
        path = self.grid.trace_path(job)
        path.parent.mkdir(parents=True, exist_ok=True)
        if seconds is None:
            path.touch()
        else:
            with h5py.File(path, "w") as file:
                file["wall_time"] = np.array([[0.0, seconds / 2, seconds]] * 2)
        self._aged(path, age)

    def progress(self, step, state=RUNNING, job=JOB, age=0.0, **told):
        path = self.grid.trace_path(job).with_suffix(".progress")
        Progress(job, "0f", "2026-11-30T12:00:00+00:00", "node7", 12, state, step, STEPS, **told).write(path)
        self._aged(path, age)
        return path

    def benchmark(self, job=JOB, age=0.0):
        path = self.grid.study.folder / "benchmarks" / "train" / f"{job}.tsv"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        self._aged(path, age)

    def checkpoint(self, job=JOB, age=0.0, step=300):
        path = self.grid.trace_path(job).with_suffix(".checkpoint")
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({"clock": np.array([step, 7.5]), "parameter/w": np.ones(3)}, path)
        self._aged(path, age)
        return path

    def log(self, *lines, job=JOB, age=0.0):
        path = self.grid.study.folder / "logs" / "train" / f"{job}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines))
        self._aged(path, age)
        return path

    def look(self, job=JOB):
        (found,) = [status for status in look(self.grid).jobs if status.name == job]
        return found


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path / "results")


LINE = f"{JOB}: step 20/{STEPS}, 3 s, median elbo -3.1, median |gap| 0.2 nats"
STOPPED = f"{JOB}: stopped after step 300 of {STEPS}; a checkpoint is kept, the same command goes on from it"
ERROR = "entropy-sums train: [Errno 28] No space left on device"
TRACEBACK = ["Traceback (most recent call last):", *['  File "a.py", line 1, in f'] * 20, "RuntimeError: out of memory"]


def test_nothing_is_there(folder):
    status = look(folder.grid)
    assert status.runs == {State.DONE: 0, State.RUNNING: 0, State.INTERRUPTED: 0, State.FAILED: 0, State.MISSING: 10}
    assert status.seconds_to_go is None
    assert f"{folder.grid.study.folder} is not there" in as_text(status, folder.grid)


@pytest.mark.parametrize("age", [0.0, 1e6])
def test_a_trace_is_done_whatever_else_lies_there(folder, age):
    folder.trace(age=age)
    folder.checkpoint()
    folder.log(ERROR)
    assert folder.look().state == State.DONE


@pytest.mark.parametrize("lines", [[], ["a.py:1: UserWarning: slow"]])
def test_a_fresh_log_is_that_of_a_job_that_begins(folder, lines):
    folder.log(*lines)
    assert folder.look().state == State.RUNNING


@pytest.mark.parametrize("state", [RUNNING, INTERRUPTED, FAILED])
def test_a_log_emptied_since_is_that_of_a_retry_that_begins(folder, state):
    """It overwrites the log of the attempt before, and has not told of its progress yet."""
    folder.progress(350, state, age=SILENT)
    folder.checkpoint(step=300, age=SILENT)
    folder.log()
    assert (folder.look().state, folder.look().step) == (State.RUNNING, 300)


@pytest.mark.parametrize("lines", [None, [], [LINE], [LINE, "UserWarning: w"], [*TRACEBACK, LINE], [LINE, ERROR]])
def test_a_job_that_tells_of_its_progress_runs_whatever_its_log_says(folder, lines):
    """Also where there is none, and where it has an error, as of a caught one or of an earlier writer."""
    if lines is not None:
        folder.log(*lines, age=5)
    folder.progress(20, elbo=-3.5, gap=0.25, diverged=1)
    found = folder.look()
    assert (found.state, found.step, found.elbo, found.gap, found.diverged) == (State.RUNNING, 20, -3.5, 0.25, 1)
    assert f"  {JOB}: step 20/{STEPS}, 1 of 2 runs diverged\n" in as_text(look(folder.grid), folder.grid)


def test_a_silent_job_without_a_checkpoint_was_killed(folder):
    folder.progress(20, age=SILENT + 1)
    path = folder.log(LINE, age=SILENT)
    found = folder.look()
    assert (found.state, found.step, found.log) == (State.FAILED, 20, str(path))
    assert found.last_lines == (LINE,)
    assert found.reason == "fell silent without a checkpoint: killed (memory, time limit, node)?"
    assert found.age == pytest.approx(SILENT, abs=30)


@pytest.mark.parametrize("lines", [[], ["entropy-sums: command not found"]])
def test_a_job_killed_before_it_told_of_anything(folder, lines):
    folder.log(*lines, age=SILENT)
    assert (folder.look().state, folder.look().last_lines) == (State.FAILED, tuple(lines))


def test_a_checkpoint_alone_tells_of_a_job(folder):
    folder.checkpoint(step=123)
    assert (folder.look().state, folder.look().step) == (State.RUNNING, 123)
    folder.checkpoint(step=124, age=SILENT)
    assert (folder.look().state, folder.look().step) == (State.INTERRUPTED, 124)


def test_a_resumed_job_is_as_far_as_its_checkpoint_until_it_says_more(folder):
    folder.checkpoint(step=300, age=SILENT)
    folder.log()
    folder.progress(0)
    assert (folder.look().state, folder.look().step) == (State.RUNNING, 300)
    folder.progress(350)
    assert (folder.look().state, folder.look().step) == (State.RUNNING, 350)


def test_a_silent_job_with_a_checkpoint_will_go_on_from_it(folder):
    folder.checkpoint(step=300, age=SILENT + 50)
    folder.progress(350, age=SILENT)
    assert (folder.look().state, folder.look().step) == (State.INTERRUPTED, 300)


@pytest.mark.parametrize("lines", [None, [LINE, STOPPED], [*TRACEBACK[:-1], "KeyboardInterrupt"]])
def test_an_interrupted_job_need_not_be_waited_for(folder, lines):
    folder.checkpoint(step=300, age=2)
    folder.progress(299, INTERRUPTED, age=1)
    if lines is not None:
        folder.log(*lines)
    assert (folder.look().state, folder.look().step) == (State.INTERRUPTED, 300)


def test_a_job_whose_checkpoint_was_deleted_after_an_interruption_is_missing(folder):
    folder.progress(299, INTERRUPTED)
    folder.log(LINE, STOPPED)
    assert folder.look().state == State.MISSING


def test_a_job_whose_trace_was_deleted_is_missing(folder):
    """Snakemake has written its benchmark, which it does of a job that ended well."""
    folder.log(LINE, age=SILENT + 1)
    folder.benchmark(age=SILENT)
    assert folder.look().state == State.MISSING
    # Of an earlier attempt
    folder.benchmark(age=SILENT + 2)
    assert folder.look().state == State.FAILED


@pytest.mark.parametrize("checkpoint", [False, True])
@pytest.mark.parametrize("age", [0.0, SILENT])
@pytest.mark.parametrize("last_words", [[ERROR], TRACEBACK])
def test_a_job_that_ended_with_an_error(folder, checkpoint, age, last_words):
    if checkpoint:
        folder.checkpoint(age=age + 5)
    folder.progress(20, FAILED, age=age + 1)
    folder.log(LINE, *last_words, age=age)
    found = folder.look()
    assert (found.state, found.step, found.reason) == (State.FAILED, 20, "its log ends with an error")
    assert found.last_lines == tuple([LINE, *last_words][-LINES_SHOWN:])


def test_of_an_error_without_a_log_no_other_log_tells(folder):
    folder.log(LINE, STOPPED, age=SILENT)
    folder.progress(20, FAILED)
    found = folder.look()
    assert (found.state, found.reason, found.last_lines) == (State.FAILED, "it ended with an error", ())


def test_another_attempt_outlives_the_error_of_one(folder):
    """As of two writers: the checkpoint is newer than the end of one of them."""
    folder.progress(20, FAILED, age=SILENT)
    folder.log(LINE, ERROR, age=SILENT)
    folder.checkpoint(step=40)
    assert (folder.look().state, folder.look().step) == (State.RUNNING, 40)


@pytest.mark.parametrize("content", [b"", b"half", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_damaged_checkpoint_is_named(folder, content):
    path = folder.checkpoint()
    path.write_bytes(content)
    found = folder.look()
    assert found.state == State.FAILED
    assert found.reason.startswith(f"no readable checkpoint {path} (")
    assert found.reason.endswith("; delete it to train this job anew")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"job": "a"}', b"\xff"])
def test_a_damaged_progress_is_named(folder, content):
    path = folder.progress(20)
    path.write_bytes(content)
    found = folder.look()
    assert found.state == State.FAILED
    assert found.reason.startswith(f"no readable progress {path} (")
    assert found.reason.endswith("; delete it")


def test_the_log_of_two_writers_has_a_hole(folder):
    folder.progress(20, FAILED, age=1)
    path = folder.log()
    path.write_bytes(b"\0" * 5000 + f"{LINE}\n".encode() + b"\xff\n" + f"{ERROR}\n".encode())
    assert folder.look().last_lines == (LINE, "\ufffd", ERROR)
    path.write_bytes(b"\0" * 5000 + f"{ERROR}\n".encode())
    assert folder.look().last_lines == (ERROR,)


def test_only_the_end_of_a_long_log_is_read(folder, monkeypatch):
    folder.progress(20, FAILED, age=1)
    folder.log("x" * 2 * TAIL, *TRACEBACK)
    assert folder.look().last_lines == tuple(TRACEBACK[-LINES_SHOWN:])
    folder.log("x" * 2 * TAIL)
    assert folder.look().last_lines == ("x" * (TAIL - 1),)


def test_temporary_files_and_jobs_taken_out_of_the_study_do_not_count(folder):
    folder.trace("vae1/pca/seed=99")
    (folder.grid.trace_path(JOB).parent / ".seed=0-1.nc.x1.nc").touch()
    assert look(folder.grid).runs[State.MISSING] == 10


def test_a_file_server_whose_clock_is_ahead(folder):
    """The newest file tells its time: what it wrote hours before that is old, though ahead of this machine."""
    folder.progress(20, age=-HOUR)
    folder.progress(20, age=-2 * HOUR, job=folder.jobs[1])
    assert [job.state for job in look(folder.grid).jobs[:2]] == [State.FAILED, State.RUNNING]


def test_patience_is_the_users(folder):
    folder.progress(20, age=SILENT)
    assert look(folder.grid, silence=SILENT + 60).runs[State.RUNNING] == 2


def test_cells_and_their_runs(tmp_path):
    axes = {"model": ["vae0", "vae1"], "dataset": ["pca", "digits"], "seed": [0, 1, 2]}
    grid = Grid(Study(study="a", axes=axes, pack={"size": 2}, results=tmp_path))
    path = grid.trace_path("vae1/digits/seed=0-1")
    path.parent.mkdir(parents=True)
    path.touch()
    status = look(grid)
    assert list(status.cells) == [("vae0", "pca"), ("vae0", "digits"), ("vae1", "pca"), ("vae1", "digits")]
    assert list(status.cells["vae1", "digits"].values()) == [2, 0, 0, 0, 1]
    lines = as_text(status, grid).splitlines()
    assert "  vae1   digits             2            0            0            0            1" in lines
    assert "  all                       2            0            0            0           10" in lines


def test_jobs_that_began_together(folder):
    """Three jobs at once, of 20 minutes each, ended 10 minutes ago: 6 runs in half an hour."""
    for job in folder.jobs[:3]:
        folder.trace(job, age=600, seconds=1200)
    folder.progress(500, job=folder.jobs[3])
    status = look(folder.grid)
    assert status.runs_per_hour == pytest.approx(12, rel=0.02)
    assert status.basis.startswith("6 runs ended in the last 30 min")
    # One job of two runs is half done, another one has not begun
    assert status.seconds_to_go == pytest.approx(HOUR * 3 / 12, rel=0.02)
    # Failed ones are not waited for
    folder.progress(0, FAILED, job=folder.jobs[4])
    assert look(folder.grid).seconds_to_go == pytest.approx(HOUR * 1 / 12, rel=0.02)
    text = as_text(status, folder.grid)
    assert "6 of 10 runs are done; 12 an hour" in text
    assert "about 15 min to go" in text


def test_the_rate_is_that_of_the_last_hour(folder):
    folder.trace(folder.jobs[0], age=3 * HOUR)
    for job, age in zip(folder.jobs[1:4], (3000, 2000, 10), strict=True):
        folder.trace(job, age=age, seconds=7200)
    assert look(folder.grid).runs_per_hour == pytest.approx(6)


def test_a_study_that_stands_still_has_no_time_to_go(folder):
    folder.trace(folder.jobs[0], age=60, seconds=100)
    status = look(folder.grid)
    assert status.runs_per_hour == pytest.approx(2 * HOUR / 160, rel=0.05)
    assert status.seconds_to_go is None
    assert "to go" not in as_text(status, folder.grid)


@pytest.mark.parametrize(
    ("age", "basis"),
    [(2 * HOUR, "no run has ended in the last hour"), (60, f"the trace of {JOB} does not tell how ")],
)
def test_where_no_rate_is_known_the_reason_is(folder, age, basis):
    folder.trace(age=age)
    folder.progress(20, job=folder.jobs[1])
    status = look(folder.grid)
    assert (status.runs_per_hour, status.seconds_to_go) == (None, None)
    assert status.basis.startswith(basis)
    assert basis in as_text(status, folder.grid)


def test_long_lists_are_cut_unless_all_is_asked_for(tmp_path):
    folder = Folder(tmp_path, seeds=2 * LISTED + 6)
    for job in folder.jobs:
        folder.progress(0, FAILED, job=job, age=1)
        folder.log("one", "two", ERROR, job=job)
    status = look(folder.grid)
    short, whole = as_text(status, folder.grid), as_text(status, folder.grid, whole=True)
    assert short.count(ERROR) == LISTED
    assert "… and 3 more; --all lists them" in short
    assert whole.count(ERROR) == LISTED + 3
    assert "more; --all" not in whole
    assert f"logs/train/{folder.jobs[-1]}.log" in whole


@pytest.mark.parametrize(
    ("make", "told"),
    [
        ({}, "next: snakemake --configfile a.yaml (with the --profile that you use) goes on"),
        ({0: "trace"}, "next: snakemake --configfile a.yaml (with the --profile that you use) goes on"),
        ({0: "checkpoint"}, "next: nothing to type, the study is under way"),
        ({0: "checkpoint", 1: "error"}, "once it has ended, snakemake --configfile a.yaml trains failed jobs again"),
        ({0: "error"}, "a job begins anew, instead, once its .checkpoint in "),
        (dict.fromkeys(range(5), "trace"), "next: snakemake --configfile a.yaml makes the figures"),
    ],
)
def test_what_to_type_next(folder, make, told):
    for position, what in make.items():
        job = folder.jobs[position]
        error = partial(folder.progress, 0, FAILED)
        {"trace": folder.trace, "checkpoint": folder.checkpoint, "error": error}[what](job=job)
    assert told in as_text(look(folder.grid), folder.grid)


STUDY = """\
study: tiny
axes: {model: [vae0, vae1], dataset: [pca], seed: {count: 2}}
settings: {train: 60, test: 40, encoder_width: 5, decoder_width: 5}
training: {phases: [{steps: 500, batch_size: 20}], evaluation: {every: 250, samples: 2}}
results: results
"""


class Trainer:
    """`entropy-sums` in a folder of its own, jobs started as the rule of the workflow starts them."""

    def __init__(self, path):
        self.path = path
        (path / "tiny.yaml").write_text(STUDY)
        self.environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}

    def train(self, job, *options):
        log = Path("results/tiny/logs/train") / f"{job}.log"
        (self.path / log).parent.mkdir(parents=True, exist_ok=True)
        command = f"exec entropy-sums train tiny.yaml {job} {shlex.join(options)} 2> {log}"
        return subprocess.Popen(["bash", "-c", command], cwd=self.path, env=self.environment)

    def job(self, name):
        (found,) = [job for job in look(Grid(read(Path("tiny.yaml")))).jobs if job.name == name]
        return found


def wait_for(happened):
    patience = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < patience
        time.sleep(0.02)


def test_a_real_job_is_interrupted_killed_and_finished_and_another_fails(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    trainer = Trainer(tmp_path)
    job = "vae1/pca/seed=0-1"
    checkpoint = tmp_path / f"results/tiny/runs/{job}.checkpoint"

    process = trainer.train(job, "--checkpoint-seconds", "0")
    wait_for(lambda: checkpoint.exists() or process.poll() is not None)
    assert trainer.job(job).state == State.RUNNING
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 143
    stopped = trainer.job(job)
    assert stopped.state == State.INTERRUPTED
    assert 0 < stopped.step < 500

    before = checkpoint.stat().st_mtime_ns
    process = trainer.train(job, "--checkpoint-seconds", "0")
    wait_for(lambda: process.poll() is not None or checkpoint.stat().st_mtime_ns > before)
    process.kill()
    process.wait()
    assert trainer.job(job).state == State.RUNNING, "kill -9 leaves no word: only silence tells"
    assert main(["status", "tiny.yaml", "--silence", "0"]) == 0
    told = capsys.readouterr().out
    assert "interrupted jobs: 1\n" in told
    assert f"  {job}: will go on from step " in told

    assert trainer.train(job).wait() == 0
    assert trainer.train("vae0/pca/seed=0-1", "--identity", "0").wait() == 2
    assert main(["status", "tiny.yaml"]) == 1
    told = capsys.readouterr().out
    assert "2 of 4 runs are done; " in told
    log = "results/tiny/logs/train/vae0/pca/seed=0-1.log"
    assert f"  vae0/pca/seed=0-1: its log ends with an error\n    {log}\n" in told
    assert "  | entropy-sums train: tiny.yaml: job vae0/pca/seed=0-1 was planned as 0 and is now" in told


def test_logs_and_benchmarks_are_where_the_workflow_writes_them():
    rule = (ROOT / "workflow" / "rules" / "train.smk").read_text()
    for path in ("logs/train/{{job}}.log", "benchmarks/train/{{job}}.tsv"):
        assert f'f"{{FOLDER}}/{path}"' in rule


def test_json_has_everything_and_the_exit_status_tells_of_failures(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(STUDY)
    assert main(["status", "tiny.yaml", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["runs"] == {"done": 0, "running": 0, "interrupted": 0, "failed": 0, "missing": 4}
    assert [cell["model"] for cell in told["cells"]] == ["vae0", "vae1"]
    assert {job["state"] for job in told["jobs"]} == {"missing"}
    grid = Grid(read(Path("tiny.yaml")))
    job = grid.jobs["vae0/pca/seed=0-1"]
    with pytest.raises(ValueError, match="no"), Reporter(job, grid.trace_path(job.name)):
        raise ValueError("no")
    log = grid.study.folder / "logs/train/vae0/pca/seed=0-1.log"
    log.parent.mkdir(parents=True)
    log.write_text(f"{ERROR}\n")
    assert main(["status", "tiny.yaml", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["jobs"][0]["last_lines"] == [ERROR]
    assert told["jobs"][0]["log"] == str(log)


def test_it_stays_light(tmp_path):
    """Progress and checkpoints are read without torch, and one trace without xarray."""
    folder = Folder(tmp_path / "results")
    folder.trace(folder.jobs[0], seconds=100)
    folder.checkpoint(folder.jobs[1])
    (tmp_path / "a.yaml").write_text(
        f"study: a\naxes: {{model: [vae1], dataset: [pca], seed: {{count: 10}}}}\n"
        f"pack: {{size: 2}}\nresults: {tmp_path / 'results'}\n"
    )
    code = (
        "import sys\nfrom entropy_sums.cli import main\nmain(sys.argv[1:])\n"
        "assert not {'torch', 'xarray', 'netCDF4', 'pandas', 'snakemake'} & sys.modules.keys()\n"
    )
    command = [sys.executable, "-c", code, "status", str(tmp_path / "a.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "an hour (2 runs ended in the last 2 min)" in done.stdout
    assert "running jobs: 1\n" in done.stdout
