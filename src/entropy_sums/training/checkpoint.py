"""Checkpoints: the state of a pack between two steps, in a file that is either old or new, never partial."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from entropy_sums.files import atomic


@dataclass
class Checkpoint:
    """State that a run needs to resume as if it had never stopped; randomness has no state (see randomness.py).

    Attributes:
        identity: identity of the job; a checkpoint of another job is ignored.
        tensors: parameters, moments and the trace so far, by name.
    """

    identity: str
    tensors: dict[str, Tensor]

    def write(self, path: Path) -> None:
        """Replace the file at `path` in one step."""
        with atomic(path) as temporary:
            save_file(self.tensors, temporary, metadata={"identity": self.identity})

    @classmethod
    def read(cls, path: Path, identity: str) -> Checkpoint | None:
        """Read the checkpoint at `path`; None where there is none of this job.

        Raises:
            ValueError: the file is damaged.
        """
        if not path.exists():
            return None
        try:
            with safe_open(path, framework="pt") as file:
                written_for = file.metadata()["identity"]
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: no readable checkpoint ({error}); delete it to train this job anew") from error
        return cls(identity, tensors) if written_for == identity else None
