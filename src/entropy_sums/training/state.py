"""State of a training: diverged replicas are put back to it, and checkpoints hold it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from entropy_sums.models.model import Model
from entropy_sums.training.checkpoint import Checkpoint
from entropy_sums.training.optimizers.base import Optimizer
from entropy_sums.training.recording import Recording

Tensors = dict[str, Tensor]

AT_PHASE_START = ("parameter/", "buffer/")
"""Prefixes of the names of tensors that one phase hands on to the next."""


@dataclass(frozen=True)
class State:
    """State that changes while a phase trains, as named tensors with a leading replica axis.

    Example:
        >>> from entropy_sums.models import MODELS, build
        >>> from entropy_sums.training.optimizers.sgd import SGD
        >>> from entropy_sums.training.settings import PhaseSettings
        >>> model = build([MODELS["linear_vae"]()] * 2, 3, [torch.Generator()] * 2)
        >>> state = State(model, SGD(model, [PhaseSettings()] * 2))
        >>> before = state.copy()
        >>> model.decoder.mean.bias.data[1] = torch.nan
        >>> broken = state.broken()
        >>> state.put_back(before, broken)
        >>> broken.tolist(), state.broken().tolist()
        ([False, True], [False, False])
    """

    model: Model
    optimizer: Optimizer

    def live(self) -> Tensors:
        """The tensors themselves by name: parameters, moments, and buffers that training changes."""
        names = [name for name, parameter in self.model.named_parameters() if parameter.requires_grad]
        kinds = {"parameter": self.optimizer.parameters, **self.optimizer.moments}
        tensors = {
            f"{kind}/{name}": tensor.detach()
            for kind, tensors in kinds.items()
            for name, tensor in zip(names, tensors, strict=True)
        }
        return tensors | {f"buffer/{name}": self.model.get_buffer(name) for name in self.model.evolving}

    def copy(self) -> Tensors:
        """Copies of the tensors as they are now."""
        return {name: tensor.clone() for name, tensor in self.live().items()}

    def broken(self) -> np.ndarray:
        """Whether each replica has a parameter that is not finite, `(replica,)`."""
        sums = [p.detach().flatten(1).sum(1) for p in self.model.parameters()]
        return ~torch.stack(sums).isfinite().all(0).cpu().numpy()

    def put_back(self, kept: Mapping[str, Tensor], replicas: np.ndarray) -> None:
        """Give some replicas the tensors of an earlier copy.

        Args:
            replicas: whether each replica is put back, `(replica,)`.
        """
        chosen = np.flatnonzero(replicas)
        if chosen.size:
            for name, tensor in self.live().items():
                tensor[chosen] = kept[name][chosen]

    def restore(self, saved: Mapping[str, Tensor], steps: int) -> None:
        """Resume from saved tensors after a number of steps of the phase.

        At the start of the phase only the tensors that the last phase hands on are restored.
        """
        for name, tensor in self.live().items():
            if steps or name.startswith(AT_PHASE_START):
                tensor.copy_(saved[name])
        self.optimizer.resume(steps)


@dataclass
class Standing:
    """Standing of a training between two steps.

    Attributes:
        step: number of completed steps.
        seconds: seconds of training until now.
        recording: quantities recorded until now.
        tensors: the state, and the tensors of recorders.
        kept: state to which replicas are put back if they turn out to have diverged; empty at a recorded step.
    """

    step: int
    seconds: float
    recording: Recording
    tensors: Tensors
    kept: Tensors = field(default_factory=dict)

    def write(self, path: Path, identity: str) -> None:
        """Write a checkpoint of the job with this identity."""
        recorded = self.recording
        arrays = recorded.arrays() | {"diverged_at": recorded.diverged_at}
        arrays |= {"steps": np.array(recorded.steps), "wall_time": np.array(recorded.wall_time)}
        tensors = {f"trace/{name}": torch.from_numpy(array) for name, array in arrays.items()}
        tensors["clock"] = torch.tensor([self.step, self.seconds], dtype=torch.float64)
        tensors |= self.tensors | {f"kept/{name}": tensor for name, tensor in self.kept.items()}
        Checkpoint(identity, {name: tensor.cpu() for name, tensor in tensors.items()}).write(path)

    @classmethod
    def read(cls, path: Path, identity: str, device: str | torch.device = "cpu") -> Standing | None:
        """Read the standing from a checkpoint; None where there is none of this job.

        Args:
            device: device of the model.

        Raises:
            ValueError: the file is damaged.
        """
        found = Checkpoint.read(path, identity)
        if found is None:
            return None
        tensors = found.tensors
        step, seconds = tensors.pop("clock").tolist()
        arrays = {name: tensor.numpy() for name, tensor in _taken(tensors, "trace/").items()}
        steps, wall_time, diverged_at = (arrays.pop(name) for name in ("steps", "wall_time", "diverged_at"))
        recording = Recording(diverged_at.copy(), steps.tolist(), wall_time.tolist())
        recording.records = [{name: array[i] for name, array in arrays.items()} for i in range(len(steps))]
        kept = {name: tensor.to(device) for name, tensor in _taken(tensors, "kept/").items()}
        return cls(int(step), seconds, recording, tensors, kept)


def _taken(tensors: Tensors, prefix: str) -> Tensors:
    """Remove the tensors with a prefix, and return them without the prefix."""
    return {name.removeprefix(prefix): tensors.pop(name) for name in list(tensors) if name.startswith(prefix)}
