"""What is compiled, written once for all backends: a chunk of training steps, a forward pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops

from remix_study.batches.losses import FOCAL_GAMMA
from remix_study.data.preprocessing import CLIP
from remix_study.models.augmentation import Augmentation
from remix_study.models.network import Network
from remix_study.training.adam import AdamState, adam_update

# Masks are 16-bit: a rate is met to within 1 / 65,536.
_LEVELS = 2**16
_SMALLEST = 1e-7


class Data(NamedTuple):
    """What stays on the device for a whole study.

    X float32 (n, d) or images uint8 (n, height, width, channels), y int32 (n,).
    """

    X: Any
    y: Any


class Inputs(NamedTuple):
    """What differs between members: preprocessing (M, d), terms of the loss (M, K).

    Images are only scaled: their d is 0.
    """

    fill: Any
    centre: Any
    scale: Any
    class_weight: Any
    offset: Any


class Weights(NamedTuple):
    """Values of a network's variables, in Keras' order; state is batch norm's, seeds and such."""

    trainable: tuple[Any, ...]
    state: tuple[Any, ...]


class Plan(NamedTuple):
    """Arrays (chunk, M, batch): first, second (int32), weight, label_weight (float32).

    Seeds are uint32 (chunk, M, uses, generators, 2), for the augmentation of the first and of the
    second rows: two uses, one where no row is blended with another, none where nothing is
    augmented.
    """

    first: Any
    second: Any
    weight: Any
    label_weight: Any
    seeds: Any


class Step:
    """Training steps and forward passes of a network as pure functions of their arguments.

    Nothing is kept between calls, so that one compiled program serves all stacks, several of
    them at a time.

    Args:
        network: What is trained.
        n_classes: Number of classes K.
        augmentation: What is done to images where the plan has seeds for it.
        gather: (array, indices) -> rows of the array.
        gradient: (function, variables) -> what the function gives beside its total, and the
            gradients of the total; the function takes the variables and gives (total, beside).
        barrier: Gives a list of arrays back; see :func:`adam_update`.
        focal: Whether the loss is the focal one, fixed when the program is built: without it the
            program has nothing of it.
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
    ) -> None:
        self.network = network
        self.n_classes = n_classes
        self.focal = focal
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
        plan: Plan,
        masks: Any,
        active: Any,
        rates: Any,
        dropout: Any,
        steps: Any,
    ) -> tuple[Weights, AdamState, Any]:
        """Take the first ``steps`` steps of a chunk.

        Args:
            weights: Present values.
            adam: Present moments.
            data: Rows of the problem.
            inputs: What differs between members.
            plan: Which rows are blended, padded to the length of a chunk.
            masks: uint16 (M, chunk, batch * sum of mask units); a width of 0 without dropout.
            active: float32 (chunk, M), 1 where a member takes the step.
            rates: Learning rates, in the shape of ``adam.steps``.
            dropout: Share of units dropped, a scalar.
            steps: How many of the chunk's steps are real, an int32 scalar.

        Returns:
            New values, new moments, and the sum over the steps of each member's loss, (M,).
        """
        batch = plan.first.shape[2]

        def body(i: Any, values: Any, moments: Any, losses: Any) -> tuple[Any, ...]:
            x, labels = self._batch(data, inputs, plan, i)
            keep = self._keep(masks[:, i], batch, dropout)
            (loss, state), gradients = self._gradient(
                lambda variables: self._loss(variables, values.state, inputs, x, labels, keep),
                values.trainable,
            )
            taken = active[i]
            on = self._per_member(taken)
            moments, trainable = adam_update(
                moments, values.trainable, gradients, rates, on, self._barrier
            )
            # A network of one member is always active but where it has turned NaN.
            kept = tuple(
                ops.where(on > 0, new, old) for new, old in zip(state, values.state, strict=True)
            )
            losses = losses + ops.where(taken > 0, loss, 0.0)
            return i + 1, Weights(trainable, kept), moments, losses

        # A scalar bound: a range of known length would be compiled anew for every length.
        start = (ops.zeros((), "int32"), weights, adam, ops.zeros((self.network.stack,)))
        done = ops.while_loop(lambda i, *_: i < steps, body, start)
        return done[1], done[2], done[3]

    def forward(
        self, weights: Weights, data: Data, inputs: Inputs, rows: Any, share: Any
    ) -> tuple[Any, Any]:
        """Logits (or log-probabilities) of rows (M, R), and their weighted cross-entropy.

        Args:
            weights: Present values.
            data: Rows of the problem.
            inputs: What differs between members.
            rows: int32 (M, R).
            share: float32 (M, R), the weight of each row in the loss.

        Returns:
            (M, R, K) and (M,).
        """
        x = self._prepare(self._gather(data.X, rows), inputs)
        z, _, _ = self._call(self.network.infer, weights, x, [], training=False)
        fit = ops.log_softmax(z, axis=-1)
        own = ops.one_hot(self._gather(data.y, rows), self.n_classes) > 0
        # Chosen, not multiplied: 0 * -inf would be NaN.
        own = ops.sum(ops.where(own, fit, 0.0), axis=2)
        return z, -ops.sum(ops.where(share > 0, share * own, 0.0), axis=1)

    def choose(self, improved: Any, new: Weights, old: Weights) -> Weights:
        """The new values of members where ``improved`` (M,), and the old ones of the others."""

        def pick(one: Any, other: Any) -> Any:
            if not self.network.is_stacked:
                return ops.where(improved[0], one, other)
            shape = (-1, *[1] * (len(one.shape) - 1))
            return ops.where(ops.reshape(improved, shape), one, other)

        return Weights(
            tuple(pick(a, b) for a, b in zip(new.trainable, old.trainable, strict=True)),
            tuple(pick(a, b) for a, b in zip(new.state, old.state, strict=True)),
        )

    def _batch(self, data: Data, inputs: Inputs, plan: Plan, i: Any) -> tuple[Any, Any]:
        """Features (M, batch, ...) and soft labels (M, batch, K) of one step."""
        one, other = plan.first[i], plan.second[i]
        # Each use of a row is augmented afresh, before rows are mixed.
        uses = plan.seeds.shape[2]
        seeds = [plan.seeds[i][:, use] for use in range(uses)] or [None, None]
        x = self._prepare(self._gather(data.X, one), inputs, seeds[0])
        if uses == 1:
            # To transform images takes long: not for a blend that gives them no weight.
            return x, ops.one_hot(self._gather(data.y, one), self.n_classes)
        share = ops.reshape(plan.weight[i], (*one.shape, *[1] * (len(x.shape) - 2)))
        x = share * x
        x = x + (1 - share) * self._prepare(self._gather(data.X, other), inputs, seeds[1])
        share = plan.label_weight[i][..., None]
        labels = share * ops.one_hot(self._gather(data.y, one), self.n_classes)
        labels = labels + (1 - share) * ops.one_hot(self._gather(data.y, other), self.n_classes)
        return x, labels

    def _loss(
        self, variables: Any, state: Any, inputs: Inputs, x: Any, labels: Any, keep: list[Any]
    ) -> tuple[Any, tuple[Any, tuple[Any, ...]]]:
        """Total, and beside it each member's loss (M,) and the new state."""
        values = Weights(variables, state)
        z, state, penalty = self._call(self.network.train, values, x, keep, training=True)
        fit = ops.log_softmax(z + inputs.offset[:, None, :], axis=-1)
        if self.focal:
            # 1 - p as -expm1(log p): exact near p = 1, and without 0 * inf in the gradient.
            fit = ops.power(-ops.expm1(fit), FOCAL_GAMMA) * fit
        loss = -ops.sum(inputs.class_weight[:, None, :] * labels * fit, axis=2)
        loss = ops.mean(loss, axis=1) + penalty
        # Summed, not averaged: a mean would scale each member's gradient by 1 / M.
        return ops.sum(loss), (loss, state)

    def _call(
        self, model: Any, weights: Weights, x: Any, keep: list[Any], *, training: bool
    ) -> tuple[Any, tuple[Any, ...], Any]:
        """Logits (M, batch, K), the network's new state and its own losses (regularizers)."""
        stacked = self.network.is_stacked
        x = ([x, *keep] if keep else x) if stacked else x[0]
        values = [
            *zip(model.trainable_variables, weights.trainable, strict=True),
            *zip(model.non_trainable_variables, weights.state, strict=True),
        ]
        # Not ``stateless_call``: it goes past ``__call__``, which tells layers that they train.
        with keras.StatelessScope(state_mapping=values, collect_losses=True) as scope:
            # As Keras' own ``fit`` does.
            told = {"training": training} if model._call_has_training_arg else {}
            z = model(x, **told)
            losses = model.losses
        state = [scope.get_current_value(v) for v in model.non_trainable_variables]
        z = ops.cast(z if stacked else z[None], "float32")
        if not self.network.has_logits:
            z = ops.log(ops.maximum(z, _SMALLEST))
        return z, tuple(state), sum(losses, 0.0)

    def _prepare(self, x: Any, inputs: Inputs, seeds: Any = None) -> Any:
        """Impute, standardise and clip gathered rows (M, batch, d) as each member learned to.

        Images are augmented where there are seeds (M, generators, 2), and scaled to 0 to 1.
        """
        if keras.backend.standardize_dtype(x.dtype) == "uint8":
            x = ops.cast(x, "float32")
            if seeds is not None and self._augmentation is not None:
                members = range(self.network.stack)
                x = ops.stack([self._augmentation(x[m], seeds[m]) for m in members])
            return x / 255
        x = ops.where(ops.isnan(x), inputs.fill[:, None, :], x)
        x = (x - inputs.centre[:, None, :]) / inputs.scale[:, None, :]
        return ops.minimum(ops.maximum(x, -CLIP), CLIP)

    def _keep(self, masks: Any, batch: int, dropout: Any) -> list[Any]:
        """Turn the masks of one step (M, batch * units) into multipliers of 0 or 1/(1-rate)."""
        threshold = ops.cast(ops.round(dropout * _LEVELS), "int32")
        multipliers, start = [], 0
        for units in self.network.mask_units:
            mask = masks[:, start : start + batch * units]
            mask = ops.cast(ops.reshape(mask, (self.network.stack, batch, units)), "int32")
            multipliers.append(ops.where(mask >= threshold, 1 / (1 - dropout), 0.0))
            start += batch * units
        return multipliers

    def _per_member(self, values: Any) -> Any:
        """(M,) in the shape that broadcasts against the network's variables."""
        return values[:, None, None] if self.network.is_stacked else values[0]
