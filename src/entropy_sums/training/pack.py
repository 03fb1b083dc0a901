"""Training of one pack: many replicas at once, recorded, checkpointed, resumed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from entropy_sums.certificates.certificate import Certificate, certify
from entropy_sums.data.checks import check_support
from entropy_sums.layers import Dropout
from entropy_sums.models import build
from entropy_sums.models.abilities import Informed, Maximising
from entropy_sums.models.model import DirectedModel, Model
from entropy_sums.training.checkpoint import Checkpoint
from entropy_sums.training.ends import latents, subsets
from entropy_sums.training.evaluation import Evaluation, as_numpy
from entropy_sums.training.likelihood import estimates
from entropy_sums.training.minibatches import Minibatches
from entropy_sums.training.phase import STEPS, Phase
from entropy_sums.training.randomness import Stream, generator
from entropy_sums.training.schedules import evaluation_steps
from entropy_sums.training.sparsity import sparsity
from entropy_sums.training.trace import Interrupted, Replica, Trace

CERTIFICATE_TRIALS = 2
"""Enough to tell which coefficients depend on the parameters; `entropy-sums certify` tries more."""

OBSERVE_SECONDS = 10.0
"""Longest silence between two calls of an observer, but for a single step or evaluation that takes longer."""


class Pack:
    """Replicas that are trained at once on the same data.

    Args:
        replicas: of one shape: they differ in seed and packed settings only.
        train, test: `(N, D)` and `(M, D)`.
        device: where to train.
        identity: of the job; a checkpoint of another one is not taken up.
        checkpoint: file of the checkpoint; None does without.
        checkpoint_seconds: time between checkpoints.
        truth: what is known of the distribution of the data, as `Dataset` has it.
    """

    def __init__(
        self,
        replicas: Sequence[Replica],
        train: np.ndarray,
        test: np.ndarray,
        device: str | torch.device = "cpu",
        identity: str = "",
        checkpoint: Path | None = None,
        checkpoint_seconds: float = 60.0,
        truth: Mapping[str, np.ndarray] | None = None,
    ) -> None:
        self.replicas, self.training = replicas, replicas[0].training
        self.identity, self.checkpoint, self.checkpoint_seconds = identity, checkpoint, checkpoint_seconds
        dtype = getattr(torch, self.training.precision)
        self.data, heldout = (torch.as_tensor(x, dtype=dtype, device=device) for x in (train, test))
        self._check_batches()
        for points in (train, test):
            check_support(points, replicas[0].model.support)
        self.seeds = [replica.seed for replica in replicas]
        generators = [generator(seed, Stream.PARAMETERS) for seed in self.seeds]
        self.model = build([r.model for r in replicas], self.data.shape[1], generators).to(device, dtype)
        self._check_phases()
        self._check_subsets(len(heldout))
        if isinstance(self.model, Informed):
            self.model.inform(truth or {})
        asked = self.training.evaluation.batches
        self.minibatches = Minibatches(self.training.steps, self.model) if asked else None
        samples = self.training.evaluation.samples
        certified = self.training.evaluation.certificate
        certificate = certify(self.model, self.data, trials=CERTIFICATE_TRIALS) if certified else None
        closing = self._closing(generators) if certified else None
        self._evaluate = Evaluation(self.data, self.seeds, samples, Stream.EVALUATION, certificate, closing)
        self._evaluate_heldout = Evaluation(heldout, self.seeds, samples, Stream.HELDOUT)
        self.trace = Trace(diverged_at=np.full(len(replicas), np.nan))
        self.step, self.seconds = 0, 0.0
        self._kept: dict[str, Tensor] = {}
        self._stopping = False
        self._ends = list(accumulate(phase.steps for phase in self.training.phases))

    def stop(self) -> None:
        """Ask for an end: before the next step a checkpoint is written and Interrupted raised."""
        self._stopping = True

    def run(self, observe: Callable[[Pack], None] = lambda pack: None) -> Trace:
        """Train to the end, from the checkpoint if there is one.

        `observe` is called at every recorded step, and between them about every `OBSERVE_SECONDS`.

        Raises:
            Interrupted: after `stop()`; all that was recorded so far is in the checkpoint.
        """
        if not self._resume():
            self._record()
            observe(self)
        saved = seen = time.monotonic()
        started = saved - self.seconds
        moments = evaluation_steps(self.training.steps, self.training.evaluation.every, self._ends)
        for start, stop in pairwise([self.step, *(step for step in moments if step > self.step)]):
            phase = self._phase(start)
            kept, self._kept = self._kept or self._state(phase), {}
            for self.step in range(start, stop):
                now = time.monotonic()
                self.seconds = now - started
                if self._stopping or now - saved >= self.checkpoint_seconds:
                    self._save(phase, kept)
                    saved = now
                if now - seen >= OBSERVE_SECONDS:
                    observe(self)
                    seen = now
                if self._stopping:
                    raise Interrupted(f"stopped after step {self.step} of {self.training.steps}")
                phase.update(self.step)
            self.step = stop
            self._freeze(phase, kept, self._broken())
            self.seconds = time.monotonic() - started
            self._record()
            self._freeze(phase, kept, ~np.isfinite(self.trace.records[-1]["elbo"]))
            observe(self)
            seen = time.monotonic()
        evaluations = {"": self._evaluate, "heldout_": self._evaluate_heldout}
        self.trace.at_end = estimates(self.model, evaluations, self.step, self.training.evaluation)
        self.trace.at_end |= latents(self.model, self._evaluate) | sparsity(self.model, evaluations)
        self.trace.at_end |= subsets(self.model, self._evaluate_heldout, self.training.evaluation)
        if self.minibatches is not None:
            self.trace.at_end |= {name: as_numpy(values.T) for name, values in self.minibatches.values.items()}
        return self.trace

    def _check_batches(self) -> None:
        for position, phase in enumerate(self.training.phases):
            if phase.batch_size != "full" and phase.batch_size > len(self.data):
                raise ValueError(
                    f"training.phases.{position}.batch_size: {phase.batch_size} is more than the {len(self.data)} "
                    "training points; lower it or write full"
                )

    def _check_phases(self) -> None:
        name, directed = type(self.model).__name__, isinstance(self.model, DirectedModel)
        dropped = any(module.rate.any() for module in self.model.modules() if isinstance(module, Dropout))
        settings, steps = self.replicas[0].model, self.training.steps
        if settings.pretraining and settings.pretraining >= steps:
            raise ValueError(
                f"pretraining_steps: layers are pretrained for {settings.pretraining} steps and training has {steps}, "
                "so the ELBO is never ascended; lower pretraining_steps, or raise training.phases.….steps"
            )
        for position in range(len(self.training.phases)):
            phases = [replica.training.phases[position] for replica in self.replicas]
            optimizer, where = phases[0].optimizer, f"training.phases.{position}"
            if phases[0].samples < settings.least_samples:
                raise ValueError(
                    f"{where}.samples: the gradient of {name} has a leave-one-out baseline, which needs at least 2 "
                    "posterior samples per point; write samples: 2 or more, or choose estimator: disarm"
                )
            if optimizer == "em" and not isinstance(self.model, Maximising):
                raise ValueError(
                    f"{where}.optimizer: em needs a model with a step of EM (`maximise`), and {name} has none; choose "
                    "adam, adamw or sgd"
                )
            if optimizer == "lbfgs" and (dropped or not directed):
                why = "draws other units to drop" if directed else "has no `landscape`"
                raise ValueError(
                    f"{where}.optimizer: lbfgs needs an objective that is the same function all along a search, and "
                    f"{name} {why}; choose adam, adamw or sgd" + (", or write dropout: 0" if directed else "")
                )
            if (weights := {phase.prior_weight for phase in phases} - {1.0}) and not directed:
                raise ValueError(
                    f"{where}.prior_weight: {min(weights)} weights the prior of VAEs and sparse coding, and {name} has "
                    "none to be weighted; write prior_weight: 1"
                )
            if self.training.evaluation.batches and (optimizer in STEPS or weights):
                why = f"optimizer: {optimizer}" if optimizer in STEPS else f"prior_weight: {min(weights)}"
                raise ValueError(
                    f"training.evaluation.batches: phase {position} has {why}, and does not ascend the bound of its "
                    "minibatch; write batches: false"
                )

    def _check_subsets(self, points: int) -> None:
        for size in self.training.evaluation.subset_sizes:
            if size > points:
                raise ValueError(
                    f"training.evaluation.subset_sizes: {size} is more than the {points} held-out points; leave it "
                    "out or hold out more (setting test)"
                )

    def _closing(self, generators: list[torch.Generator]) -> tuple[Model, Certificate] | None:
        """The model with the entropies that its objective meets at stationary points, if it has other ones."""
        settings = [replica.model.closing() for replica in self.replicas]
        if settings == [replica.model for replica in self.replicas]:
            return None
        model = build(settings, self.data.shape[1], generators).to(self.data)
        return model, certify(model, self.data, trials=CERTIFICATE_TRIALS)

    def _phase(self, step: int) -> Phase:
        """The phase that does `step`, entered anew where it begins or training resumes."""
        position = next(i for i, end in enumerate(self._ends) if step < end)
        start = self._ends[position - 1] if position else 0
        if step == start or self._current is None:
            self._current = Phase(self.data, self.model, self.replicas, position, start, self.minibatches)
            self._load_moments(self._current)
        return self._current

    _current: Phase | None = None
    _resumed: dict[str, Tensor] | None = None

    def _named(self, phase: Phase) -> dict[str, Tensor]:
        """The live state of the pack by name, every tensor with a leading replica axis."""
        names = [name for name, p in self.model.named_parameters() if p.requires_grad]
        optimizer = phase.optimizer
        kinds = {"parameter": optimizer.parameters, **optimizer.moments}
        tensors = {
            f"{kind}/{name}": tensor.detach()
            for kind, tensors in kinds.items()
            for name, tensor in zip(names, tensors, strict=True)
        }
        return tensors | {f"buffer/{name}": self.model.get_buffer(name) for name in self.model.evolving}

    def _state(self, phase: Phase) -> dict[str, Tensor]:
        return {name: tensor.clone() for name, tensor in self._named(phase).items()}

    def _load_moments(self, phase: Phase) -> None:
        if self._resumed is not None:
            within = self.step > phase.start
            for name, tensor in self._named(phase).items():
                if within or name.startswith(("parameter/", "buffer/")):
                    tensor.copy_(self._resumed[name])
            phase.optimizer.set_count(self.step - phase.start)
            self._resumed = None

    def _broken(self) -> np.ndarray:
        """Which replicas have a parameter that is not finite."""
        sums = [p.detach().flatten(1).sum(1) for p in self.model.parameters()]
        return ~torch.stack(sums).isfinite().all(0).cpu().numpy()

    def _freeze(self, phase: Phase, kept: dict[str, Tensor], broken: np.ndarray) -> None:
        """Put diverged replicas back to where they were last sound, and mark the new ones among them."""
        self.trace.diverged_at[broken & np.isnan(self.trace.diverged_at)] = self.step
        frozen = np.flatnonzero(~np.isnan(self.trace.diverged_at))
        if frozen.size:
            for name, tensor in self._named(phase).items():
                tensor[frozen] = kept[name][frozen]

    def _penalties(self) -> np.ndarray:
        """λ of each replica in the phase that ends or goes on here; NaN for objectives that are no penalised ELBO."""
        position = next(i for i, end in enumerate(self._ends) if self.step <= end)
        phases = [replica.training.phases[position] for replica in self.replicas]
        other = np.array([phase.optimizer == "adamw" and phase.weight_decay > 0 for phase in phases])
        other |= np.array([phase.prior_weight != 1 for phase in phases])
        other |= np.array([not replica.model.ascends_elbo for replica in self.replicas])
        other |= np.array([self.step < replica.model.pretraining for replica in self.replicas])
        return np.where(other, np.nan, [phase.weight_decay for phase in phases])

    def _record(self) -> None:
        record = self._evaluate(self.model, self.step, gradient=True, penalties=self._penalties())
        heldout = self._evaluate_heldout(self.model, self.step)
        del heldout["latent_entropy"]
        record |= {f"heldout_{name}": value for name, value in heldout.items()}
        self.trace.steps.append(self.step)
        self.trace.wall_time.append(self.seconds)
        self.trace.records.append(record)

    def _save(self, phase: Phase, kept: dict[str, Tensor]) -> None:
        """Between two recorded steps, what replicas that turn out to have diverged are put back to is saved too."""
        if self.checkpoint is not None:
            arrays = self.trace.arrays() | {"diverged_at": self.trace.diverged_at}
            arrays |= {"steps": np.array(self.trace.steps), "wall_time": np.array(self.trace.wall_time)}
            tensors = {f"trace/{name}": torch.from_numpy(array) for name, array in arrays.items()}
            tensors["clock"] = torch.tensor([self.step, self.seconds], dtype=torch.float64)
            tensors |= self._state(phase)
            if self.minibatches is not None:
                tensors |= self.minibatches.values
            if self.step > self.trace.steps[-1]:
                tensors |= {f"kept/{name}": tensor for name, tensor in kept.items()}
            Checkpoint(self.identity, {name: t.cpu() for name, t in tensors.items()}).write(self.checkpoint)

    def _resume(self) -> bool:
        found = Checkpoint.read(self.checkpoint, self.identity) if self.checkpoint else None
        if found is None:
            return False
        arrays = {k.removeprefix("trace/"): t.numpy() for k, t in found.tensors.items() if k.startswith("trace/")}
        steps, wall_time = arrays.pop("steps"), arrays.pop("wall_time")
        self.trace = Trace(arrays.pop("diverged_at").copy(), steps.tolist(), wall_time.tolist())
        self.trace.records = [{name: array[i] for name, array in arrays.items()} for i in range(len(steps))]
        step, self.seconds = found.tensors["clock"].tolist()
        self.step = int(step)
        self._resumed = found.tensors
        if self.minibatches is not None:
            self.minibatches.restore(found.tensors)
        kept = {k.removeprefix("kept/"): t for k, t in found.tensors.items() if k.startswith("kept/")}
        self._kept = {name: tensor.to(self.data.device) for name, tensor in kept.items()}
        return True
