"""Whether the machine holds a training, and whether its networks fit the number of rows."""

from __future__ import annotations

from collections.abc import Sequence

from remix_study.batches.samplers import SMOTE_SAMPLERS
from remix_study.batches.strategies import DEFAULT_STRATEGIES, STRATEGIES
from remix_study.models.size import MemoryNeed, TrainingSize, check_need, memory_need
from remix_study.study.checks import values_to_check
from remix_study.study.configurations import Parameters
from remix_study.study.task import Task
from remix_study.studyfile.model_options import BUILT_IN_MODELS
from remix_study.training import stacks


def largest_need(task: Task) -> MemoryNeed:
    """What a task's largest configuration takes: of each key that shapes it, the largest value.

    Of a user's own network only the one that the file names counts: to build others may take long.
    """
    is_built_in, stack = task.study.model.name in BUILT_IN_MODELS, task.stack
    shaping = [
        (name, values_to_check(domain))
        for name, domain in task.study.search.space.settings.items()
        if name in ("batch_size", "model.ensemble")
        or (is_built_in and name.startswith(("model.", "features.")))
    ]
    parameters = Parameters()
    # Twice, as a key such as features.bins matters beside some values of a later one alone.
    for name, values in 2 * shaping:
        options = [parameters | {name: value} for value in values]
        parameters = max(options, key=lambda option: _need(task, option, stack).total)
    return _need(task, parameters, stack)


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


def _need(task: Task, parameters: Parameters, stack: int) -> MemoryNeed:
    space, configuration = task.study.search.space, task.configuration(parameters)
    parts, names = space.parts.get("sampler"), space.strategy or DEFAULT_STRATEGIES
    samplers = parts.values if parts else [STRATEGIES[name].sampler for name in names]
    n_networks = task.folds_per_trial * configuration.networks
    if not stacks.can_stack(configuration.model, configuration.training):
        stack = 1
    return memory_need(
        TrainingSize(
            network=task.network_size(configuration.model),
            rows=len(task.problem.y),
            training_rows=max(len(fold.train) for fold in task.folds),
            values=task.problem.dataset.n_features,
            has_images=task.problem.dataset.has_images,
            batch_size=configuration.training.batch_size,
            folds=n_networks,
            stack=stack,
            stacks=min(stacks.stacks_at_a_time(task.cores), -(-n_networks // stack)),
            has_smote=bool(set(samplers) & set(SMOTE_SAMPLERS)),
        )
    )
