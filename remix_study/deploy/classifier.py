"""A network that is trained as a study's are, with scikit-learn's interface."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_array, check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from remix_study.data.dataset import LARGEST, user_dataset
from remix_study.data.folds import Fold, hold_out_rows
from remix_study.data.preprocessing import CLIP
from remix_study.data.problems import Problem, make_problem
from remix_study.deploy.classifier_parameters import (
    class_weights_from,
    in_parameter_names,
    model_from,
    strategy_from,
    training_from,
)
from remix_study.errors import RemixStudyError
from remix_study.seeds import model_seeds
from remix_study.studyfile.model_options import DEFAULT_DROPOUT, DEFAULT_HIDDEN
from remix_study.studyfile.schema import Training


class ReMixClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A neural network for imbalanced tables, trained on ReMix batches or by another strategy.

    ```python
    model = remix_study.ReMixClassifier(strategy="remix", alpha=0.3, random_state=0)
    cross_val_score(model, X, y, scoring="balanced_accuracy")
    ```

    Rows are numbers; missing ones (NaN) become the mean of the training rows, and features are
    standardised or encoded within ``fit``. Probabilities are those of the strategy: most make
    classes equally likely, whatever their shares (``CalibratedClassifierCV`` brings them back).

    Args:
        strategy: A strategy of studies: ``baseline``, ``cost``, ``smote``, ``balance``, ``mixup``,
            ``remix``, ``logit-adjusted``, ... SMOTE takes all features for numbers.
        sampler: How batches are drawn, in place of the strategy's own way: ``natural``,
            ``balanced``, ``balanced-dataset``, ``undersample``, ``smote``, ...
        alpha: Parameter of the mixing coefficient's distribution; None for 0.1 where the strategy
            mixes.
        hidden: Widths of the hidden layers, or ``paper`` or ``authors``.
        dropout: Share of units dropped after each hidden layer but the last.
        encoder: How features of more than two values enter: ``standard``, ``quantile`` or
            ``piecewise-linear``.
        bins: Bins of the two encodings.
        ensemble: Networks from seeds of their own, whose probabilities are averaged.
        class_weight: Weights of classes in the loss: ``balanced``, a dictionary, or None for
            those of the strategy.
        validation_fraction: Share of the rows held out, by class, to stop early and choose the
            best epoch; None trains on all rows for all epochs.
        epochs: Largest number of epochs.
        batch_size: Rows of a mini-batch, at most those that train.
        learning_rate: Adam's.
        start_from_step: Steps after which early stopping compares losses, in whole epochs.
        patience: Epochs without gain after which it stops.
        random_state: As in scikit-learn. The same seed, rows and settings give the same model; a
            whole number that is a study's seed gives the network that its ``fit`` trains.

    Attributes:
        classes_: The classes (K,), sorted.
        n_features_in_: Number of features d.
        feature_names_in_: Their names, where ``X`` was a data frame with text for names.
        n_iter_: Epochs that the first network trained.
        loss_curve_: Its training loss of each epoch.
        validation_loss_curve_: Its validation loss, each class with equal weight, of each epoch;
            empty without a validation part.
        coefs_: For each network of the ensemble the matrices of its layers.
        intercepts_: And the biases.
    """

    def __init__(
        self,
        strategy: str = "remix",
        *,
        sampler: str | None = None,
        alpha: float | None = None,
        hidden: int | Sequence[int] | str = DEFAULT_HIDDEN,
        dropout: float = DEFAULT_DROPOUT,
        encoder: str = "standard",
        bins: int = 16,
        ensemble: int = 1,
        class_weight: str | Mapping[Any, float] | None = None,
        validation_fraction: float | None = 0.3,
        epochs: int = Training().epochs,
        batch_size: int = Training().batch_size,
        learning_rate: float = Training().learning_rate,
        start_from_step: int = Training().start_from_step,
        patience: int = Training().patience,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.strategy = strategy
        self.sampler = sampler
        self.alpha = alpha
        self.hidden = hidden
        self.dropout = dropout
        self.encoder = encoder
        self.bins = bins
        self.ensemble = ensemble
        self.class_weight = class_weight
        self.validation_fraction = validation_fraction
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.start_from_step = start_from_step
        self.patience = patience
        self.random_state = random_state

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> Self:
        """Train on rows.

        Args:
            X: (n, d) numbers, NaN where missing; an array or a data frame.
            y: (n,) classes of any type.
            sample_weight: (n,) weights, not negative, by which rows count in losses; rows of
                weight 0 are left out.

        Raises:
            ValueError: Data or parameters that cannot be used; the message names which.
        """
        X, y = _validated(self, X, y=y)
        check_classification_targets(y)
        weights = None
        if sample_weight is not None:
            weights = _checked_weights(sample_weight, len(X))
            X, y, weights = (rows[weights > 0] for rows in (X, y, weights))
        if np.abs(X).max(initial=0, where=~np.isnan(X)) > LARGEST:
            raise ValueError(f"X holds values beyond {LARGEST:g}: correct or leave out those rows")
        self.classes_, codes = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f'y has one class, "{self.classes_[0]}"; a classifier needs two')
        seed = _seed_of(self.random_state)
        try:
            self._train(X, y, codes, weights, seed)
        except RemixStudyError as error:
            raise ValueError(in_parameter_names(str(error))) from error
        return self

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities of the classes, (n, K), in the order of ``classes_``.

        Computed in float64: a row's do not depend on the rows beside it.
        """
        check_is_fitted(self)
        X = _validated(self, X, reset=False)
        standardised = self._preprocessing.standardise(0, X)
        if self._encoder is None:
            entering = np.clip(standardised, -CLIP, CLIP)
        else:
            bins = SimpleNamespace(lower=self._encoder.lower, inverse=self._encoder.inverse)
            entering = self._encoder.encode(np, standardised[None], bins)[0]
        networks = zip(self.coefs_, self.intercepts_, strict=True)
        probabilities = [_probabilities(entering, *network) for network in networks]
        return np.asarray(np.mean(probabilities, axis=0))

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of each row, (n,)."""
        codes = self.predict_proba(X).argmax(axis=1)
        return np.asarray(self.classes_[codes])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags

    def _train(
        self,
        X: NDArray[np.float64],
        y: NDArray[Any],
        codes: NDArray[np.intp],
        weights: NDArray[np.float64] | None,
        seed: int,
    ) -> None:
        # Here, as it imports Keras, which takes seconds and no prediction needs.
        from remix_study.deploy.shared_programs import make_engine
        from remix_study.training.members import make_members

        parameters, n_classes = self.get_params(deep=False), len(self.classes_)
        strategy = strategy_from(parameters)
        class_weights = class_weights_from(self.class_weight, self.classes_, y)
        model = model_from(parameters, X.shape[1], n_classes)
        names = tuple(map(str, self.classes_))
        dataset = user_dataset("data", X, codes, names, None, source="arrays", weights=weights)
        # As in a study, where the rare one of two classes comes last.
        problem = make_problem(dataset)
        order = [codes[(problem.y == code).argmax()] for code in range(n_classes)]
        if class_weights is not None:
            problem = replace(problem, class_weights=class_weights[order])
        train, validation = self._split(problem, seed)
        training = training_from(parameters, len(train))
        nothing = np.zeros(0, np.intp)
        network_seed, _ = model_seeds(seed, problem.name)
        folds = make_members(problem, [Fold(0, 0, train, validation, nothing)], network_seed)
        engine = make_engine(folds, model)
        (outcome,) = engine.fit(folds.members, strategy, training, ensemble=model.ensemble)
        if outcome.failed:
            raise ValueError(f"{outcome.failed}: lower learning_rate, {self.learning_rate:g}")
        self.n_iter_, self.loss_curve_ = outcome.epochs, outcome.loss
        self.validation_loss_curve_ = outcome.monitor
        self._preprocessing: Any = folds.preprocessing
        self._encoder = engine.encoder
        values = [
            [np.asarray(value, np.float64) for value in engine.member_weights(network)]
            for network in range(model.ensemble)
        ]
        for *_, kernel, bias in values:
            kernel[:, order], bias[:, order] = kernel.copy(), bias.copy()
        self.coefs_ = [of_layers[::2] for of_layers in values]
        self.intercepts_ = [[bias[0] for bias in of_layers[1::2]] for of_layers in values]

    def _split(self, problem: Problem, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Positions of training and validation rows."""
        rows, share = np.arange(len(problem.y)), self.validation_fraction
        if share is None:
            return rows, rows[:0]
        if not 0 < share < 1:
            raise ValueError(f"validation_fraction must be above 0 and below 1, not {share!r}")
        rarest = int(problem.counts.argmin())
        if problem.counts[rarest] < 2:
            raise ValueError(
                f'class "{self.classes_[rarest]}" has one row, and a validation part needs one '
                "beside it: give more rows, or set validation_fraction=None"
            )
        return hold_out_rows(problem.y, rows, share, model_seeds(seed, problem.name)[1])


def _seed_of(random_state: int | np.random.RandomState | None) -> int:
    """A whole number itself, which then is a study's seed; else one that is drawn."""
    if isinstance(random_state, int | np.integer):
        check_random_state(random_state)
        return int(random_state)
    return int(check_random_state(random_state).randint(np.iinfo(np.int32).max))


def _validated(estimator: ReMixClassifier, X: Any, **options: Any) -> Any:
    """Check rows as scikit-learn does; ValueError names a column of text."""
    options |= {"dtype": np.float64, "ensure_all_finite": "allow-nan"}
    try:
        return validate_data(estimator, X, **options)
    except ValueError as error:
        for column, kind in getattr(X, "dtypes", {}).items():
            if kind.kind in "OSU" and np.array_equal([str(v) for v in X[column]], X[column]):
                raise ValueError(
                    f'X, column "{column}" holds text: encode it first, as by OneHotEncoder in a '
                    "ColumnTransformer"
                ) from error
        raise


def _checked_weights(sample_weight: ArrayLike, n_rows: int) -> NDArray[np.float64]:
    options = {"dtype": np.float64, "input_name": "sample_weight"}
    weights: NDArray[np.float64] = check_array(sample_weight, ensure_2d=False, **options)
    if weights.shape != (n_rows,):
        raise ValueError(
            f"sample_weight has shape {weights.shape}; it needs one weight for each of the "
            f"{n_rows} rows"
        )
    if weights.min() < 0 or not weights.any():
        raise ValueError("sample_weight must not be negative, nor zero for all rows")
    return weights


def _probabilities(
    x: NDArray[np.float64],
    coefs: Sequence[NDArray[np.float64]],
    intercepts: Sequence[NDArray[np.float64]],
) -> NDArray[np.float64]:
    *hidden, last = zip(coefs, intercepts, strict=True)
    for coef, intercept in hidden:
        x = np.maximum(x @ coef + intercept, 0)
    return np.asarray(softmax(x @ last[0] + last[1], axis=1))
