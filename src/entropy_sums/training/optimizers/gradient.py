"""Optimisers with one gradient per step: torch's fused kernels, a learning rate and a weight decay per replica."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, ClassVar

from entropy_sums.training.optimizers.base import Optimizer
from entropy_sums.training.optimizers.schedules import SCHEDULES

if TYPE_CHECKING:
    from torch import Tensor

    from entropy_sums.bound import Bound
    from entropy_sums.models.model import Model
    from entropy_sums.training.settings import PhaseSettings


class Gradient(Optimizer):
    """An optimiser whose step is one update with a gradient.

    Neighbouring replicas with equal learning rate and weight decay form a group. Moments are whole tensors beside the
    parameters, and groups are views of them: the state of a single replica can be read and written. The functional
    forms of torch's optimisers avoid the bookkeeping of `torch.optim`, which takes a tenth of a step of small networks.

    Attributes:
        remembers: names of the running moments.
    """

    ascends_bound = True
    reads = frozenset(
        {"learning_rate", "variance_rate", "schedule", "batch_size", "order", "samples", "prior_weight", "weight_decay"}
    )
    remembers: ClassVar[tuple[str, ...]] = ()

    def __init__(self, model: Model, phases: Sequence[PhaseSettings]) -> None:
        import torch

        super().__init__(model, phases)
        self.moments = {name: [torch.zeros_like(p) for p in self.parameters] for name in self.remembers}
        self._factor = SCHEDULES[self.phase.schedule]
        # Variances are a group of their own only where their rate differs, since a kernel call per group costs time
        variances = model.variances if any(phase.variance_rate != 1 for phase in phases) else set()
        learned = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
        kinds = {fast: [i for i, name in enumerate(learned) if (name in variances) == fast] for fast in (False, True)}
        self._groups = [
            Group(self, members, chosen, rate, decay)
            for fast, chosen in kinds.items()
            for members, (rate, decay) in ranges(
                (phase.learning_rate * (phase.variance_rate if fast else 1), phase.weight_decay) for phase in phases
            )
            if chosen
        ]

    @abstractmethod
    def update(self, group: Group, gradients: list[Tensor], learning_rate: float) -> None:
        """Update the parameters and moments of a group in place, down the gradients of the loss."""

    def step(self, x: Tensor, noise: Tensor, step: int, watch: Callable[[Bound], None] | None = None) -> None:
        loss = -self._ascended(x, noise, watch).sum()
        loss.backward()
        self.descend(self._factor(step / self.phase.steps))

    def _ascended(self, x: Tensor, noise: Tensor, watch: Callable[[Bound], None] | None) -> Tensor:
        if watch is not None:
            bound = self.model.bound(x, noise)
            watch(bound)
            return bound.elbo
        if self.prior_weight is None:
            return self.model.objective(x, noise)
        from entropy_sums.models.abilities import WithLandscape

        assert isinstance(self.model, WithLandscape), "checked before training"
        return self.model.landscape(x, noise, self.prior_weight)()

    def descend(self, factor: float) -> None:
        """Update once with the present gradients, every learning rate times `factor`."""
        # Parameters that the objective does not depend on have no gradient
        gradients = [p.new_zeros(p.shape) if p.grad is None else p.grad for p in self.parameters]
        for group in self._groups:
            own = [gradients[position][group.members] for position in group.chosen]
            self.update(group, own, group.learning_rate * factor)
        for parameter in self.parameters:
            parameter.grad = None

    def resume(self, steps: int) -> None:
        for group in self._groups:
            for count in group.counts:
                count.fill_(steps)


class Group:
    """Views of the parameters and replicas that share a learning rate and a weight decay.

    Args:
        members: replicas.
        chosen: positions of the parameters among those of the owner.
    """

    def __init__(
        self, owner: Gradient, members: slice, chosen: Sequence[int], learning_rate: float, weight_decay: float
    ) -> None:
        import torch

        self.members, self.chosen = members, chosen
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.parameters = [owner.parameters[position].detach()[members] for position in chosen]
        self.moments = {
            name: [moments[position][members] for position in chosen] for name, moments in owner.moments.items()
        }
        self.counts = [torch.zeros((), device=p.device) for p in self.parameters]


def adaptive(
    kernel: Callable[..., None], group: Group, gradients: list[Tensor], learning_rate: float, second_decay: float
) -> None:
    """Update a group with a kernel of torch that keeps the moments `first` and `second`."""
    kernel(
        group.parameters,
        gradients,
        group.moments["first"],
        group.moments["second"],
        [],
        group.counts,
        fused=True,
        amsgrad=False,
        beta1=0.9,
        beta2=second_decay,
        lr=learning_rate,
        weight_decay=group.weight_decay,
        eps=1e-8,
        maximize=False,
    )


def ranges(values: Iterable[tuple[float, float]]) -> Iterable[tuple[slice, tuple[float, float]]]:
    """Slices of equal neighbours, each with their value.

    Example:
        >>> list(ranges([(0.1, 0.0), (0.1, 0.0), (0.2, 0.0)]))
        [(slice(0, 2, None), (0.1, 0.0)), (slice(2, 3, None), (0.2, 0.0))]
    """
    start = 0
    for value, members in groupby(values):
        stop = start + len(list(members))
        yield slice(start, stop), value
        start = stop
