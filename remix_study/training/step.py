"""Training steps and a forward pass as pure functions, the same for all backends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops

from remix_study.batches.losses import FOCAL_GAMMA
from remix_study.batches.plan import StackPlan
from remix_study.batches.random_bits import StepKeys, derive_keys, random_bits
from remix_study.data.preprocessing import CLIP
from remix_study.models.augmentation import Augmentation
from remix_study.models.networks import Network
from remix_study.training.adam import AdamState, adam_update
from remix_study.training.encoding import Encoder
from remix_study.training.problem_rows import (
    Data,
    Inputs,
    plain_labels,
    soft_labels,
    with_voted_categories,
)

_LEVELS = 2.0**32
_SMALLEST = 1e-7


class Weights(NamedTuple):
    """Values of a network's variables, in Keras' order.

    ``state`` are those that no gradient changes: batch norm's moving means, seeds of dropout.
    """

    trainable: tuple[Any, ...]
    state: tuple[Any, ...]


class Step:
    """Training steps and forward passes of a network, functions of their arguments alone.

    Nothing is kept between calls, so that one compiled program serves all stacks, several of
    them at a time.

    Args:
        network: What is trained.
        n_classes: Number of classes K.
        gather: (array, indices) -> rows of the array.
        gradient: (function, variables) -> the function's second result, and the gradients of its
            first; the function takes the variables and returns (total, extra).
        augmentation: What is done to images where the plan has seeds for it.
        barrier: Returns a list of arrays as it is; see :func:`adam_update`.
        focal: Whether the loss is the focal one. Fixed when the program is built, so that one
            without it has none of its operations.
        uses: Rows that each training row is blended from and that are augmented: two, one where
            no row is blended with another, 0 where nothing is augmented.
        encoder: Of numeric features; None where they are only standardised.
    """

    def __init__(
        self,
        network: Network,
        n_classes: int,
        gather: Callable[[Any, Any], Any],
        gradient: Callable[[Callable[[Any], tuple[Any, Any]], Any], tuple[Any, Any]],
        augmentation: Augmentation | None = None,
        *,
        barrier: Callable[[list[Any]], list[Any]] = list,
        focal: bool = False,
        uses: int = 0,
        encoder: Encoder | None = None,
    ) -> None:
        self.network = network
        self.n_classes = n_classes
        self.focal = focal
        self.uses = uses
        self._encoder = encoder
        self._gather = gather
        self._gradient = gradient
        self._barrier = barrier
        self._augmentation = augmentation

    def train(
        self,
        weights: Weights,
        adam: AdamState,
        data: Data,
        inputs: Inputs,
        plan: StackPlan,
        keys: StepKeys,
        epoch: Any,
        steps: Any,
        running: Any,
        rates: Any,
        dropout: Any,
        losses: Any,
        start: Any,
        stop: Any,
    ) -> tuple[Weights, AdamState, Any]:
        """Take the steps from ``start`` to before ``stop`` of an epoch.

        Args:
            weights: Present values.
            adam: Present moments.
            data: Rows of the problem.
            inputs: What differs between members.
            plan: Which rows are blended, arrays (M, S, batch, ...).
            keys: Of the members' random numbers.
            epoch: uint32 (1,).
            steps: int32 (M,) batches of each member's epoch; it takes no step after them.
            running: float32 (M,), 1 for members that train.
            rates: Learning rates, in the shape of ``adam.steps``.
            dropout: Share of units dropped, a scalar.
            losses: float32 (M,), the sums over the epoch's steps before ``start``.
            start: int32 scalar.
            stop: int32 scalar.

        Returns:
            New values, new moments, and the sum of each member's loss over the epoch so far, (M,):
            the same bits however the epoch is cut into calls.
        """
        batch = plan.first.shape[2]
        keys = StepKeys(*(derive_keys(ops, part, epoch) for part in keys))

        def take_step(i: Any, values: Any, moments: Any, losses: Any) -> tuple[Any, ...]:
            x, labels = self._batch(data, inputs, plan, keys.augmentation, i)
            keep = self._keep(_step_keys(keys.masks, i), batch, dropout)
            (loss, state), gradients = self._gradient(
                lambda variables: self._loss(variables, values.state, inputs, x, labels, keep),
                values.trainable,
            )
            is_active = running * ops.cast(i < steps, "float32")
            per_member = self._per_member(is_active)
            moments, trainable = adam_update(
                moments, values.trainable, gradients, rates, per_member, self._barrier
            )
            # A network of one member is always active, except after its loss has become NaN.
            state = tuple(
                ops.where(per_member > 0, new, old)
                for new, old in zip(state, values.state, strict=True)
            )
            losses = losses + ops.where(is_active > 0, loss, 0.0)
            return i + 1, Weights(trainable, state), moments, losses

        first = (start, weights, adam, losses)
        # The bounds are scalars: a range of known length would be compiled for every length.
        _, weights, adam, losses = ops.while_loop(lambda i, *_: i < stop, take_step, first)
        return weights, adam, losses

    def forward(
        self, weights: Weights, data: Data, inputs: Inputs, rows: Any, share: Any
    ) -> tuple[Any, Any]:
        """Return the probabilities of rows (M, R), and their weighted cross-entropy.

        Args:
            weights: Present values.
            data: Rows of the problem.
            inputs: What differs between members.
            rows: int32 (M, R).
            share: float32 (M, R), the weight of each row in the loss.

        Returns:
            float32 (M, R, K) and (M,).
        """
        x = self._prepare(self._gather(data.X, rows), inputs)
        x = self._encoder.encode(ops, x, inputs) if self._encoder else x
        z, _, _ = self._call(self.network.infer, weights, x, [], training=False)
        log_p = ops.log_softmax(z, axis=-1)
        is_class = ops.one_hot(self._gather(data.y, rows), self.n_classes) > 0
        # Chosen, not multiplied: 0 * -inf would be NaN.
        likelihood = ops.sum(ops.where(is_class, log_p, 0.0), axis=2)
        return ops.exp(log_p), -ops.sum(ops.where(share > 0, share * likelihood, 0.0), axis=1)

    def choose(self, improved: Any, new: Weights, old: Weights) -> Weights:
        """Return the new values of members where ``improved`` (M,), else their old ones."""

        def pick(new_value: Any, old_value: Any) -> Any:
            if not self.network.is_stacked:
                return ops.where(improved[0], new_value, old_value)
            shape = (-1, *[1] * (len(new_value.shape) - 1))
            return ops.where(ops.reshape(improved, shape), new_value, old_value)

        return Weights(
            tuple(pick(*pair) for pair in zip(new.trainable, old.trainable, strict=True)),
            tuple(pick(*pair) for pair in zip(new.state, old.state, strict=True)),
        )

    def _batch(
        self, data: Data, inputs: Inputs, plan: StackPlan, keys: Any, i: Any
    ) -> tuple[Any, Any]:
        """Return features (M, batch, ...) and soft labels (M, batch, K) of one step."""
        first, second = plan.first[:, i], plan.second[:, i]
        # Each use of a row has seeds of its own: rows are augmented before they are mixed.
        seeds = self._augmentation_seeds(_step_keys(keys, i)) if self.uses else (None, None)
        x = self._prepare(self._gather(data.X, first), inputs, seeds[0])
        if self.uses == 1:
            # Nothing is blended: the second images would be transformed, which is slow, for
            # nothing.
            return x, plain_labels(self._gather, data, first, self.n_classes)
        share = ops.reshape(plan.weight[:, i], (*first.shape, *[1] * (len(x.shape) - 2)))
        pair = x, self._prepare(self._gather(data.X, second), inputs, seeds[1])
        x = share * pair[0] + (1 - share) * pair[1]
        if plan.neighbours is not None:
            assert data.categories is not None
            values = self._prepare(data.categories.values[None], inputs)
            near = plan.neighbours[:, i]
            x = with_voted_categories(self._gather, x, values, data.categories, first, near)
        if self._encoder:
            x = self._encoder.blend(inputs, x, *pair, share)
        step = StackPlan(first, second, plan.weight[:, i], plan.label_weight[:, i])
        return x, soft_labels(self._gather, data, step, self.n_classes)

    def _loss(
        self, variables: Any, state: Any, inputs: Inputs, x: Any, labels: Any, keep: list[Any]
    ) -> tuple[Any, tuple[Any, tuple[Any, ...]]]:
        """Return the total loss, and each member's loss (M,) with the new state."""
        values = Weights(variables, state)
        z, state, penalty = self._call(self.network.train, values, x, keep, training=True)
        if self.network.heads > 1:
            # Each head's output is a row of its own; the mean over rows is that of heads, too.
            z = ops.reshape(z, (z.shape[0], -1, self.n_classes))
            labels = ops.repeat(labels, self.network.heads, axis=1)
        log_p = ops.log_softmax(z + inputs.offset[:, None, :], axis=-1)
        if self.focal:
            # 1 - p as -expm1(log p): exact near p = 1, and without 0 * inf in the gradient.
            log_p = ops.power(-ops.expm1(log_p), FOCAL_GAMMA) * log_p
        loss = -ops.sum(inputs.class_weight[:, None, :] * labels * log_p, axis=2)
        loss = ops.mean(loss, axis=1) + penalty
        # Summed, not averaged: a mean would scale each member's gradient by 1 / M.
        return ops.sum(loss), (loss, state)

    def _call(
        self, model: Any, weights: Weights, x: Any, keep: list[Any], *, training: bool
    ) -> tuple[Any, tuple[Any, ...], Any]:
        """Return logits (M, batch, K), the network's new state and its regularization losses."""
        stacked = self.network.is_stacked
        x = ([x, *keep] if keep else x) if stacked else x[0]
        values = [
            *zip(model.trainable_variables, weights.trainable, strict=True),
            *zip(model.non_trainable_variables, weights.state, strict=True),
        ]
        # Not ``stateless_call``: it bypasses ``__call__``, which passes ``training`` to layers.
        with keras.StatelessScope(state_mapping=values, collect_losses=True) as scope:
            # Keras' own ``fit`` passes it in the same way.
            keys = {"training": training} if model._call_has_training_arg else {}
            z = model(x, **keys)
            losses = model.losses
        state = [scope.get_current_value(v) for v in model.non_trainable_variables]
        z = ops.cast(z if stacked else z[None], "float32")
        if not self.network.has_logits and z.ndim == 3:
            z = ops.log(ops.maximum(z, _SMALLEST))
        return z, tuple(state), sum(losses, 0.0)

    def _prepare(self, x: Any, inputs: Inputs, seeds: Any = None) -> Any:
        """Impute, standardise and clip gathered rows (M, batch, d), each member by its own rows.

        Images are augmented where there are seeds (M, generators, 2), and scaled to [0, 1].
        """
        if keras.backend.standardize_dtype(x.dtype) == "uint8":
            x = ops.cast(x, "float32")
            if seeds is not None and self._augmentation is not None:
                members = range(self.network.stack)
                x = ops.stack([self._augmentation(x[m], seeds[m]) for m in members])
            return x / 255
        x = ops.where(ops.isnan(x), inputs.fill[:, None, :], x)
        x = (x - inputs.centre[:, None, :]) / inputs.scale[:, None, :]
        # An encoder's bins hold what lies far out, too; it clips what it does not encode.
        return x if self._encoder else ops.minimum(ops.maximum(x, -CLIP), CLIP)

    def _augmentation_seeds(self, keys: Any) -> tuple[Any, Any]:
        """Return the seeds (M, generators, 2) of the first and the second rows of one step."""
        assert self._augmentation is not None
        generators = self._augmentation.generators
        size = generators * 2
        first, second = (random_bits(ops, keys, (generators, 2), n * size) for n in range(2))
        return first, second

    def _keep(self, keys: Any, batch: int, dropout: Any) -> list[Any]:
        """Return the multipliers of each layer in one step, (M, batch, units).

        They are 0 with probability ``dropout``, else 1 / (1 - dropout).
        """
        threshold = ops.cast(dropout * _LEVELS, "uint32")
        multipliers, start = [], 0
        for units in self.network.mask_units:
            bits = random_bits(ops, keys, (batch, units), start)
            multipliers.append(ops.where(bits >= threshold, 1 / (1 - dropout), 0.0))
            start += batch * units
        return multipliers

    def _per_member(self, values: Any) -> Any:
        """Return values (M,) in a shape that broadcasts against the network's variables."""
        return values[:, None, None] if self.network.is_stacked else values[0]


def _step_keys(keys: Any, i: Any) -> Any:
    """Keys of step ``i``, uint32 (M, 2)."""
    return derive_keys(ops, keys, ops.reshape(ops.cast(i, "uint32"), (1,)))
