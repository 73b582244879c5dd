"""Whether the machine holds a training, and whether its networks fit the number of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from remix_study.batches.samplers import SMOTE_SAMPLERS
from remix_study.batches.strategies import DEFAULT_STRATEGIES, STRATEGIES
from remix_study.models.size import MemoryNeed, TrainingSize, check_need, memory_need
from remix_study.study.checks import values_to_check
from remix_study.study.configurations import Configuration
from remix_study.study.task import Task
from remix_study.studyfile.model_options import BUILT_IN_MODELS
from remix_study.training import stacks


def largest_need(task: Task) -> MemoryNeed:
    """What the largest of a task's configurations takes."""
    return max((memory_need(size) for size in _sizes(task)), key=lambda need: need.total)


def size_notes(tasks: Sequence[Task]) -> list[str]:
    """Notes on memory.

    Raises:
        DataError: A training takes more memory than the machine or its accelerator has.
    """
    on_device = stacks.has_accelerator()
    return [
        note
        for task in tasks
        for note in check_need(largest_need(task), task.name, has_accelerator=on_device)
    ]


def _sizes(task: Task) -> Iterator[TrainingSize]:
    space, dataset, n_folds = task.study.search.space, task.problem.dataset, task.folds_per_trial
    parts, names = space.parts.get("sampler"), space.strategy or DEFAULT_STRATEGIES
    samplers = parts.values if parts else [STRATEGIES[name].sampler for name in names]
    for extreme in _extremes(task):
        n_networks = n_folds * extreme.networks
        stack = task.stack if stacks.can_stack(extreme.model, extreme.training) else 1
        yield TrainingSize(
            network=task.network_size(extreme.model),
            rows=len(task.problem.y),
            training_rows=min(len(fold.train) for fold in task.folds),
            values=dataset.n_features,
            has_images=dataset.has_images,
            batch_size=extreme.training.batch_size,
            folds=n_networks,
            stack=stack,
            stacks=min(stacks.stacks_at_a_time(task.cores), -(-n_networks // stack)),
            has_smote=bool(set(samplers) & set(SMOTE_SAMPLERS)),
        )


def _extremes(task: Task) -> Iterator[Configuration]:
    """Configurations that differ in size: each value, or end of a range, of keys that shape it.

    Of a user's own network only the one that the file names: to build others may take long.
    """
    yield task.configuration({})
    is_built_in = task.study.model.name in BUILT_IN_MODELS
    for name, domain in task.study.search.space.settings.items():
        if name == "batch_size" or (is_built_in and name.startswith("model.")):
            for value in values_to_check(domain):
                yield task.configuration({name: value})
