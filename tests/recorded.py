"""What recorders record of a model that is made, not trained."""

from entropy_sums.models import MODELS
from entropy_sums.training.recorders.base import Subject
from entropy_sums.training.replica import Replica
from entropy_sums.training.settings import TrainingSettings


def subject(model, evaluations, **settings):
    """A model for recorders that ask it, and not its settings.

    Args:
        evaluations: prefix of names → `Evaluation`.
        settings: of the evaluation.
    """
    seeds = next(iter(evaluations.values())).seeds
    training = TrainingSettings(evaluation=settings)
    return Subject(model, [Replica(seed, MODELS["linear_vae"](), training) for seed in seeds], evaluations)


def at_end(recorders, model, evaluations, step=0, **settings):
    """What those of the recorders that apply record at the end."""
    seen = subject(model, evaluations, **settings)
    return {k: v for r in recorders if r.applies(seen) for k, v in r(seen).at_end(step).items()}
