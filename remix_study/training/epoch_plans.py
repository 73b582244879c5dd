"""Batch plans of a stack, epoch after epoch, made while the epoch before trains.

On an accelerator they are drawn there where every member's sampler can be: the host would take
many times as long as the training itself. Elsewhere, and for other samplers, NumPy draws them.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import cache, partial
from itertools import chain, count
from operator import itemgetter
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from remix_study.batches.mixing import MIXINGS, Mixing
from remix_study.batches.plan import StackPlan, StackPlanner, mix
from remix_study.batches.plan_summary import EpochCounts, count_epoch
from remix_study.batches.random_bits import NUMPY, derive_keys
from remix_study.batches.samplers import DEVICE_SAMPLERS, SMOTE, STACK_SAMPLERS
from remix_study.batches.smote_draws import (
    Points,
    draw_on_device,
    fits_device,
    points_of,
    smote_slots,
)
from remix_study.batches.stack_draws import RareShare, StackRows, gather, natural, rare_share
from remix_study.training.backend import Function, backend

# NumPy's calls for few rows take as long as for one: so many epochs are planned together, up to
# so many rows of all members.
_MOST_EPOCHS = 8
_FEW_ROWS = 1 << 15

T = TypeVar("T")


class EpochPlan(NamedTuple):
    """The batches of one epoch of a stack.

    Attributes:
        epoch: Number of the epoch, from 0.
        plan: On the device.
        counts: What is trained on; on the device or not.
    """

    epoch: int
    plan: StackPlan
    counts: EpochCounts


def can_draw_on_device(planner: StackPlanner) -> bool:
    """Whether the samplers of all members can draw in a compiled program."""
    if not all(strategy.sampler in DEVICE_SAMPLERS for strategy in planner.strategies):
        return False
    steps = int(planner.rows.rows.shape[1]) // planner.batch_size
    return not _has_smote(planner) or fits_device(planner.training, steps, planner.batch_size)


def _has_smote(planner: StackPlanner) -> bool:
    return any(strategy.sampler == SMOTE for strategy in planner.strategies)


def host_plans(
    planner: StackPlanner,
    running: NDArray[np.bool_],
    y: NDArray[np.int32],
    n_classes: int,
    row_weights: NDArray[np.floating] | None = None,
) -> Generator[EpochPlan]:
    """Yield the plan of each epoch, drawn by NumPy.

    Args:
        planner: Of the stack.
        running: bool (M,), a live view of the members that still train; no others are planned.
        y: int32 (n,) classes of the problem's rows.
        n_classes: K.
        row_weights: (n,) their weights; None for none.
    """
    weights = None if row_weights is None else row_weights.astype(np.float32)
    size, longest = planner.rows.rows.shape
    together = min(_MOST_EPOCHS, max(1, _FEW_ROWS // (size * longest)))
    most = planner.members_at_a_time
    groups = [slice(start, start + most) for start in range(0, together * size, most)]
    steps = np.tile(planner.steps, together)

    def make(start: int) -> Iterator[EpochPlan]:
        epochs = range(start, start + together)
        plans = planner.plan_epochs(epochs, np.flatnonzero(running))
        parts = [
            count_epoch(NUMPY, plans.map(itemgetter(at)), y, steps[at], n_classes, weights)
            for at in groups
        ]
        counts = EpochCounts(*map(np.concatenate, zip(*parts, strict=True)))
        for number, epoch in enumerate(epochs):
            at = slice(number * size, (number + 1) * size)
            plan = plans.map(itemgetter(at)).map(backend().shared)
            yield EpochPlan(epoch, plan, EpochCounts(*(count[at] for count in counts)))

    # Nothing here holds a plan that has been handed over.
    yield from chain.from_iterable(map(make, count(0, together)))


def device_plans(
    planner: StackPlanner, y: Any, n_classes: int, row_weights: Any = None, *, jit: bool = True
) -> Generator[EpochPlan]:
    """Yield the plan of each epoch, drawn by a compiled program; the same as :func:`host_plans`.

    Args:
        planner: Of the stack.
        y: int32 (n,) classes of the problem's rows, on the device.
        n_classes: K.
        row_weights: float32 (n,) their weights, on the device; None for none.
        jit: Whether the program is compiled by XLA.
    """
    put, take = backend().on_device, backend().argument
    kinds = [(s.sampler, s.ratio is not None) for s in planner.strategies]
    samplers = tuple(dict.fromkeys(kinds))
    mixings = tuple(dict.fromkeys(strategy.mixing for strategy in planner.strategies))
    draw = _draw_program(samplers, mixings, planner.batch_size, n_classes, jit)
    sampler = put(np.array([samplers.index(kind) for kind in kinds], np.int32))
    mixing = put(np.array([mixings.index(s.mixing) for s in planner.strategies], np.int32))
    rows = StackRows(*map(put, planner.rows[:5]))._replace(target=_targets(planner))
    points = None
    if _has_smote(planner):
        points = Points(*map(put, points_of(planner.training, planner.rows.rows.shape[1])))
    keys, steps = put(planner.keys), put(planner.steps)
    with ExitStack() as open_sources:
        sources = [
            open_sources.enter_context(closing(_mixing_weights(planner, name, mixed)))
            for name in mixings
            if (mixed := MIXINGS[name]) is not None
        ]
        for epoch in count():
            weights = tuple(take(next(source)) for source in sources)
            number = take(np.array([epoch], np.uint32))
            plan, counts = draw(
                keys, number, rows, points, sampler, mixing, weights, steps, y, row_weights
            )
            for array in counts:
                backend().begin_copy_to_host(array)
            yield EpochPlan(epoch, plan, counts)


def prefetch(source: Iterator[T]) -> Generator[T]:
    """Yield the items of ``source``, the next of which a thread makes meanwhile.

    NumPy and the compiled program both release the interpreter's lock, so planning costs no time
    where a core is free.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="plans") as pool:
        upcoming = pool.submit(next, source)
        while True:
            item = upcoming.result()
            upcoming = pool.submit(next, source)
            yield item


def _mixing_weights(
    planner: StackPlanner, name: str, mixing: Mixing
) -> Generator[NDArray[np.float32]]:
    """Yield each epoch's weights (M, S, 1) or (M, S, B); 1 for members of another mixing.

    They are drawn by NumPy in blocks of epochs, each while the epochs of the block before train.
    """
    members = [m for m, s in enumerate(planner.strategies) if s.mixing == name]
    blocks = (planner.draw_weights(block, members, mixing) for block in count())
    with closing(prefetch(blocks)) as drawn_ahead:
        for drawn in chain.from_iterable(drawn_ahead):
            weights = np.ones((len(planner.strategies), *drawn.shape[1:]), np.float32)
            weights[members] = drawn
            yield weights


def _targets(planner: StackPlanner) -> RareShare | None:
    """What the rare classes get of a batch, on the device; 0.5 for members without a ratio."""
    ratios = [strategy.ratio for strategy in planner.strategies]
    if all(ratio is None for ratio in ratios):
        return None
    shares = [0.5 if ratio is None else ratio for ratio in ratios]
    target = rare_share(shares, planner.training, planner.batch_size)
    return RareShare(*map(backend().on_device, target))


@cache
def _draw_program(
    samplers: tuple[tuple[str, bool], ...],
    mixings: tuple[str, ...],
    batch_size: int,
    n_classes: int,
    jit: bool,
) -> Function:
    """The compiled draws of stacks with these samplers and mixings."""
    draw = partial(_draw, samplers, mixings, batch_size, n_classes)
    return backend().compiled(draw, xla=jit)


def _draw(
    samplers: tuple[tuple[str, bool], ...],
    mixings: tuple[str, ...],
    batch_size: int,
    n_classes: int,
    keys: Any,
    epoch: Any,
    rows: StackRows,
    points: Points | None,
    sampler: Any,
    mixing: Any,
    weights: tuple[Any, ...],
    steps: Any,
    y: Any,
    row_weights: Any,
) -> tuple[StackPlan, EpochCounts]:
    """Draw for all members by every sampler and mixing, and choose each member's own."""
    from keras import ops

    keys = derive_keys(ops, keys, epoch)

    def choose(number: int, choice: Any, new: Any, old: Any) -> Any:
        return ops.where((choice == number)[:, None, None], new, old)

    def sample(name: str, has_ratio: bool) -> tuple[Any, Any, Any]:
        of_kind = rows if has_ratio else rows._replace(target=None)
        if points is not None and name == SMOTE:
            return _smote(keys, of_kind, points, batch_size)
        first = STACK_SAMPLERS[name](ops, keys, of_kind, batch_size)
        return first, first, ops.ones(first.shape, "float32")

    drawn = sample(*samplers[0])
    for number, kind in enumerate(samplers[1:], start=1):
        pairs = zip(sample(*kind), drawn, strict=True)
        drawn = tuple(choose(number, sampler, new, old) for new, old in pairs)
    first, second, weight = drawn
    plan = StackPlan(first, second, weight, ops.ones(first.shape, "float32"))
    remaining = list(weights)
    for number, name in enumerate(mixings):
        mixing_kind = MIXINGS[name]
        if mixing_kind is not None:
            mixed = mix(ops, mixing_kind, keys, first, remaining.pop(0), rows)
            pairs = zip(mixed[:4], plan[:4], strict=True)
            plan = StackPlan(*(choose(number, mixing, new, old) for new, old in pairs))
    plan = plan._replace(
        first=ops.cast(gather(ops, rows.rows, plan.first), "int32"),
        second=ops.cast(gather(ops, rows.rows, plan.second), "int32"),
    )
    return plan, count_epoch(ops, plan, y, steps, n_classes, row_weights)


def _smote(keys: Any, rows: StackRows, points: Points, batch_size: int) -> tuple[Any, Any, Any]:
    from keras import ops

    batches = ops.cast(natural(ops, keys, rows, batch_size), "int32")
    codes = gather(ops, rows.y, batches)
    slots = smote_slots(ops, keys, codes, rows.class_count.shape[2], rows.target)
    return draw_on_device(ops, slots, batches, codes, points)
