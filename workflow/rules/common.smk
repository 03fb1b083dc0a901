# Shared by all rules. Each job of a cluster reads this file, so the grid is expanded only where it is used.
import os
import re
import shlex
import sys
from functools import cache
from pathlib import Path

from entropy_sums.files import source_digest
from entropy_sums.settings import PROTOCOL
from entropy_sums.study.errors import StudyError
from entropy_sums.study.grid import Grid
from entropy_sums.study.pictures import SUFFIXES
from entropy_sums.study.schema import read
from snakemake.exceptions import WorkflowError

if not workflow.configfiles:

    configfile: "config/config.yaml"


if len(workflow.configfiles) > 1:
    raise WorkflowError("one study at a time: name a single --configfile")

STUDY_FILE = os.path.relpath(workflow.configfiles[0])
if others := set(workflow.config_settings.config) - {"size"}:
    raise WorkflowError(
        f"--config {', '.join(sorted(others))} is not read, only size is: change {STUDY_FILE}, or a copy of it, instead"
    )
SIZE = workflow.config_settings.config.get("size")
try:
    GRID = Grid(read(Path(STUDY_FILE), SIZE), STUDY_FILE)
    if workflow.is_main_process:
        GRID.jobs  # errors of the grid are reported here, not within a rule
        for line in GRID.left_out:
            print(line, file=sys.stderr)
except StudyError as error:
    raise WorkflowError(error)
# Arguments that name the study, for every command
STUDY = shlex.join([*(["--size", SIZE] if SIZE else []), STUDY_FILE])
# Arguments that name the study, whose plugins have figures and tables, for commands that read traces.nc
PLUGINS = shlex.join(["--study", STUDY_FILE, *(["--size", SIZE] if SIZE else [])])

# Snakemake does not expand a variable that is not set: SLURM would get the account "$…". The check runs only before
# submission, because within a job these variables are not set and not needed.
if workflow.is_main_process:
    asked = workflow.resource_settings
    given = [asked.default_resources or {}, *asked.overwrite_resources.values()]
    texts = [os.path.expandvars(str(r.raw)) for named in given for r in named.values()]
    if unset := sorted(set(re.findall(r"\$\{?(\w+)", " ".join(texts)))):
        raise WorkflowError(
            f"not set: {', '.join(unset)}. The profile needs them: "
            + "; ".join(f"export {name}=…" for name in unset)
            + ". Its first lines say which values there are; empty stands for the cluster's default."
        )

# The command replaces its shell. Before a time limit the cluster signals both: a shell would exit at once, which ends
# the job, and training would be killed before it has written its checkpoint.
shell.prefix("set -euo pipefail; exec ")

# The libraries, for --software-deployment-method conda. The package itself is installed from this clone.
ENVIRONMENT = "../../environment.yml"
FOLDER = GRID.whole.folder


def tables(*suffixes):
    """Files of all tables of the study, for an input."""
    return [
        f"{FOLDER}/tables/{name}{suffix}"
        for name in GRID.whole.tables
        for suffix in suffixes
    ]


@cache
def code(member):
    """Digest of the code of a figure or table: of its modules in the package, and of its plugin if it has one."""
    return source_digest(*member.modules) + member.source


def pictures(*suffixes):
    """Function of the wildcards that gives the files of all pictures of the grid, for an input."""
    return lambda wildcards: [
        f"{FOLDER}/figures/{name}{suffix}"
        for name in GRID.pictures
        for suffix in suffixes
    ]


onerror:
    print(
        f"\nNot finished: entropy-sums status {STUDY} names the jobs that failed, with the last lines of their logs.\n"
        f"What is done is kept: the same command goes on from there.\n"
        f"To look at the finished part now: entropy-sums collect {STUDY} --partial, then\n"
        f"entropy-sums figure NAME {FOLDER}/traces.nc (names: {', '.join(GRID.pictures)})."
    )
