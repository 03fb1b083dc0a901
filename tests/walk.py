"""A page of the docs as a user walks it: its files written, its commands given."""

import re
import subprocess
from functools import cached_property
from pathlib import Path

from workspace import ROOT, Workspace


class Page:
    """A page of the docs.

    Attributes:
        files: path → text, of all files that the page shows.
        commands: the shell commands in their order.
    """

    def __init__(self, name: str) -> None:
        self.text = (ROOT / "docs" / name).read_text(encoding="utf-8")
        shown = re.findall(r"^`([\w/]+\.\w+)`:\n\n```\w+\n(.*?)^```$", self.text, re.MULTILINE | re.DOTALL)
        self.files = dict(shown)
        self.commands = re.findall(r"^```sh\n(.*?)^```$", self.text, re.MULTILINE | re.DOTALL)

    @cached_property
    def snippets(self) -> list[str]:
        """Python code that belongs to no file."""
        return re.findall(r":\n\n```python\n(import .*?)^```$", self.text, re.MULTILINE | re.DOTALL)

    def walk(self, folder: Path) -> dict[str, str]:
        """Write the files and give the commands in a folder; the first word of each command → what it printed last."""
        space, printed = Workspace(folder), {}
        for name, text in self.files.items():
            (space.folder / name).parent.mkdir(exist_ok=True)
            (space.folder / name).write_text(text, encoding="utf-8")
        for command in self.commands:
            options = {"cwd": space.folder, "env": space.environment(), "capture_output": True, "text": True}
            done = subprocess.run(["bash", "-euc", command], **options, check=False)
            assert done.returncode == 0, f"{command}{done.stdout}{done.stderr}"
            printed[command.split()[0]] = done.stdout
        return printed
