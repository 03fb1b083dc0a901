"""A private cluster with real SLURM daemons, and studies that run on it through the shipped profile."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import xarray as xr

from workspace import ROOT, Workspace, untimed

HERE = Path(__file__).parent


def until(condition: Callable[[], object], what: str, seconds: float = 90.0) -> None:
    """Wait for something to become true."""
    patience = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < patience, f"waited in vain: {what}"
        time.sleep(0.1)


def ask(*command: str) -> str:
    """What a program prints."""
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def script(name: str, *options: str) -> subprocess.CompletedProcess:
    """What up.sh or down.sh ends with and says."""
    return subprocess.run([HERE / name, *options], capture_output=True, text=True)


def ended(pid: int) -> bool:
    """Also of a process that nobody has asked for yet: some machines do so minutes later."""
    try:
        return not Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return True


@dataclass
class Cluster:
    """The running cluster of up.sh."""

    folder: Path

    def queue(self) -> dict[str, str]:
        """Job → state, of all jobs that are not finished."""
        return dict(line.split() for line in ask("squeue", "--noheader", "--format=%A %T").splitlines())

    def save(self) -> None:
        """Have the controller write down what it knows: killed, it forgets the last seconds and starts jobs of these
        a second time."""
        began = time.time()
        for job in self.queue():
            subprocess.run(["scontrol", "update", f"jobid={job}", "comment=saved"], check=True)
        until(lambda: (self.folder / "state" / "job_state").stat().st_mtime > began, "saved state of the controller")

    def kill(self, daemon: str, number: signal.Signals) -> None:
        pid = int((self.folder / "run" / f"{daemon}.pid").read_text())
        os.kill(pid, number)
        until(lambda: ended(pid), f"end of {daemon}")

    def start(self, *command: str) -> None:
        configuration = {"SLURM_CONF": str(self.folder / "etc" / "slurm.conf")}
        path = {"PATH": f"{os.environ['PATH']}:/usr/sbin"}
        subprocess.run(command, env=os.environ | configuration | path, check=True)


@dataclass
class Run:
    """`snakemake --profile slurm` at work."""

    process: subprocess.Popen
    output: Path

    @property
    def said(self) -> str:
        return self.output.read_text()

    def ends(self, status: int = 0, seconds: float = 180.0) -> str:
        """Wait for its end; what it printed."""
        try:
            ended = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"no end after {seconds} s\n{self.said}") from None
        assert ended == status, self.said
        return self.said


@dataclass
class ClusterStudy(Workspace):
    """A study on the cluster. `variables` are what its user exported."""

    variables: dict[str, str] = field(default_factory=lambda: {"SBATCH_ACCOUNT": "study", "SBATCH_PARTITION": "cpu"})
    runs: list[Run] = field(default_factory=list)

    def start(self, *arguments: str) -> Run:
        """Type `snakemake --profile slurm`."""
        self.write()
        inherited = {k: v for k, v in self.environment().items() if not k.startswith("SBATCH_")}
        environment = inherited | {"PATH": f"{HERE / 'bin'}:{inherited['PATH']}"} | self.variables
        output = self.folder / f"snakemake-{len(self.runs)}.txt"
        # Of the profile's settings only those are changed that make a test wait; the study stands where ours stands
        hasty = ["--configfile", "study.yaml", "--max-status-checks-per-second", "5", "--latency-wait", "10"]
        command = ["snakemake", "--profile", "slurm", *hasty, *arguments]
        with output.open("w") as file:
            process = subprocess.Popen(
                command, cwd=self.folder, env=environment, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
            )
        self.runs.append(Run(process, output))
        return self.runs[-1]

    def profile(self, *keys: str) -> None:
        """Uncomment lines of the profile: settings of `train`."""
        lines = (ROOT / "slurm" / "config.yaml").read_text().splitlines()
        wanted = "|".join(["set-resources", "  train", *(f"    {key}" for key in keys)])
        changed = [re.sub(rf"^# (({wanted}):.*)", r"\1", line) for line in lines]
        assert sum(new != old for new, old in zip(changed, lines, strict=True)) == 2 + len(keys)
        (self.folder / "slurm").unlink()
        (self.folder / "slurm").mkdir()
        (self.folder / "slurm" / "config.yaml").write_text("\n".join(changed))

    def calls(self, command: str = "train") -> list[tuple[str, str]]:
        """Job and GPUs of each call of our command so far; the job is `here` where Snakemake itself ran it."""
        path = self.folder / "calls.txt"
        lines = [line.split() for line in path.read_text().splitlines()] if path.exists() else []
        return [(job, gpus) for job, gpus, called in lines if called == command]

    def training(self) -> list[int]:
        """Processes that are training now."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and (entry / "cwd").readlink() == self.folder:
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                    if words[1:4] == [b"-m", b"entropy_sums.cli", b"train"]:
                        found.append(int(entry.name))
            except OSError:  # it ended meanwhile
                continue
        return found

    def traces(self) -> dict[str, xr.Dataset]:
        """Job → its trace, but for the time it took."""
        folder = self.results / "runs"
        paths = [path for path in folder.rglob("*.nc") if not path.name.startswith(".")]
        return {str(path.relative_to(folder)): untimed(path) for path in sorted(paths)}

    def status(self) -> tuple[int, str]:
        """What `entropy-sums status` ends with and says."""
        command = [sys.executable, "-m", "entropy_sums.cli", "status", "study.yaml"]
        done = subprocess.run(command, cwd=self.folder, env=self.environment(), capture_output=True, text=True)
        return done.returncode, done.stdout + done.stderr

    def checkpoints(self) -> list[Path]:
        return list(self.results.rglob("[!.]*.checkpoint"))

    def pause(self) -> list[int]:
        """Wait until every job trains and has a checkpoint, and stop the trainings there: tests last as long as they
        need and compute nothing meanwhile."""
        count = len(self.study["axes"]["model"])
        until(lambda: len(self.training()) >= count and len(self.checkpoints()) >= count, "training")
        processes = self.training()
        for process in processes:
            os.kill(process, signal.SIGSTOP)
        return processes

    def same_as(self, reference: dict[str, xr.Dataset]) -> None:
        """Every trace is there, is bitwise that of the undisturbed run, and nothing else is left of training."""
        mine = self.traces()
        assert mine.keys() == {name for name in reference if name.split("/")[0] in self.study["axes"]["model"]}
        for name, trace in mine.items():
            xr.testing.assert_identical(trace, reference[name])
        assert not self.checkpoints()
        assert not list(self.results.rglob("[!.]*.progress"))


def go_on(processes: list[int]) -> None:
    """The opposite of `pause`."""
    for process in processes:
        os.kill(process, signal.SIGCONT)
