"""A problem: a data set made imbalanced; rows are nested over ratios, the same for all methods."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remix_study.data.class_sizes import binary_sizes, multiclass_sizes
from remix_study.data.dataset import Dataset, freeze
from remix_study.errors import DataError, did_you_mean, join_names
from remix_study.seeds import derive_seed

KINDS = ("binary", "multi-class")


@dataclass(frozen=True, eq=False)
class Problem:
    """A data set with its rare classes at one imbalance ratio.

    Attributes:
        name: ``<dataset>-<classes joined by _>-ir<ratio>``; parts that are not given are left out.
        dataset: The data set.
        kind: One of ``KINDS``.
        rows: The kept rows of the data set, ascending, intp of shape (n,).
        y: Class codes 0..K-1, int32 of shape (n,).
        classes: The K class names. Binary: the majority first (``rest`` where several classes
            are merged), the rare class second.
        minority: Codes of the rare classes; empty when all classes are equally large.
        imbalance: The requested ratio N_minority / N_majority in (0, 1]; None for the natural one.
        notes: Warnings that every output repeats, those of the data set first.
        draws: Positions of the rows that each repeat uses, ascending, intp; empty where every
            repeat uses all rows.
        class_weights: float64 (K,) what weighted losses take for the classes; None for balanced
            weights, N/(K n_c).
    """

    name: str
    dataset: Dataset
    kind: str
    rows: NDArray[np.intp]
    y: NDArray[np.int32]
    classes: tuple[str, ...]
    minority: tuple[int, ...]
    imbalance: float | None
    notes: tuple[str, ...]
    draws: tuple[NDArray[np.intp], ...] = ()
    class_weights: NDArray[np.float64] | None = None

    @cached_property
    def X(self) -> NDArray[Any]:
        """Features of the kept rows (n, d), NaN where missing, or images, as the data set's."""
        has_all = len(self.rows) == len(self.dataset.X)
        freeze(X := self.dataset.X if has_all else self.dataset.X[self.rows])
        return X

    @property
    def groups(self) -> NDArray[np.intp] | None:
        """Group codes of the kept rows, intp of shape (n,), or None."""
        return None if self.dataset.groups is None else self.dataset.groups[self.rows]

    @cached_property
    def weights(self) -> NDArray[np.float64] | None:
        """Weights of the kept rows, float64 (n,), of a mean in [1, 2); None where all are equal.

        They are scaled by a power of two, which rounds nothing: the weights of test rows cannot
        change those of training rows by a digit.
        """
        if self.dataset.weights is None:
            return None
        weights = self.dataset.weights[self.rows]
        if weights.min() == weights.max() > 0:
            return None
        scaled: NDArray[np.float64] = np.ldexp(weights, 1 - np.frexp(weights.mean())[1])
        return scaled

    @property
    def K(self) -> int:
        """Number of classes."""
        return len(self.classes)

    @property
    def counts(self) -> NDArray[np.intp]:
        """Number of rows of each class (in each draw, if there are draws), intp of shape (K,)."""
        y = self.y[self.draws[0]] if self.draws else self.y
        return np.bincount(y, minlength=self.K)

    def draw(self, repeat: int) -> Problem:
        """The problem with the rows of one repeat only."""
        if not self.draws:
            return self
        rows = self.draws[repeat]
        return replace(self, rows=self.rows[rows], y=self.y[rows], draws=())


def make_problem(
    dataset: Dataset,
    *,
    kind: str | None = None,
    minority: tuple[str, ...] = (),
    imbalance: float | None = None,
    seed: int = 0,
    repeat: int | None = None,
) -> Problem:
    """Make a data set imbalanced.

    Binary: one class against all others merged; the ratio is to the size of the merged rest.
    Multi-class: each rare class against the largest class that is not made rare. In both cases
    N_minority = int(imbalance * N_majority), with the ratio taken as the decimal it is written
    as. The rows kept of a class are the first n of one permutation that depends on the seed, the
    data set and the class alone, so the rows of a smaller ratio are among those of a larger one.

    A ratio above the natural one keeps every row of the rare class and reduces the others, with a
    note: the merged rest in proportion to its classes, or, multi-class, each class that is not
    rare by the same factor.

    Args:
        dataset: The data set.
        kind: One of ``KINDS``; None is binary for two classes or one in ``minority``, with a
            note where the rest is merged, and else keeps all classes.
        minority: Names of the rare classes. If empty, the smaller of two classes; of more
            classes those as small as the smallest, unless all are equally large.
        imbalance: N_minority / N_majority in (0, 1]; None keeps all rows.
        seed: The study's seed.
        repeat: The repeat to draw rows for, each repeat having its own permutation; None for the
            permutation that all repeats share.

    Raises:
        DataError: An unknown class, a kind that does not fit, a ratio out of range, or a class
            left without rows.
    """
    is_kind_given = kind is not None
    kind, rare_classes = _check_arguments(dataset, kind, minority, imbalance)
    name = _name(dataset, minority if imbalance is None else rare_classes, imbalance)
    rare = [dataset.classes.index(label) for label in rare_classes]
    others = [code for code in range(len(dataset.classes)) if code not in rare]
    sizes = [int(count) for count in dataset.counts]
    if imbalance is not None:
        sizes_at_ratio = binary_sizes if kind == "binary" else multiclass_sizes
        # The ratio as the decimal it is written as: 0.29 of 100 rows are 29, not 28.
        sizes = sizes_at_ratio(sizes, rare, others, Fraction(repr(float(imbalance))))
    kept_rows = [_permuted(dataset, code, seed, repeat)[:size] for code, size in enumerate(sizes)]
    rows = np.sort(np.concatenate(kept_rows))

    labels, classes, minority_codes = dataset.y[rows], dataset.classes, rare
    if kind == "binary":
        rest = classes[others[0]] if len(others) == 1 else "rest"
        classes = ("other" if rest == rare_classes[0] else rest, rare_classes[0])
        labels, minority_codes = np.isin(labels, rare).astype(np.intp), [1]
    freeze(rows, y := labels.astype(np.int32))
    counts = np.bincount(y, minlength=len(classes))
    if not counts.all():
        raise DataError(
            f"problem {name}: class {classes[int(counts.argmin())]} would have 0 rows; choose a "
            "larger imbalance"
        )
    notes = (*dataset.notes, *_imbalance_notes(name, kind, dataset.counts, rare, sizes))
    if kind == "binary" and len(others) > 1 and not is_kind_given:
        notes += (
            f"{name}: binary, as minority names one class: the other {len(others)} classes are "
            'merged; write kind = "multi-class" to keep them apart',
        )
    return Problem(name, dataset, kind, rows, y, classes, tuple(minority_codes), imbalance, notes)


def make_redrawn_problem(
    dataset: Dataset,
    *,
    kind: str | None = None,
    minority: tuple[str, ...] = (),
    imbalance: float | None = None,
    seed: int = 0,
    repeats: int,
) -> Problem:
    """Make a data set imbalanced once for every repeat.

    With one draw for all repeats, scores do not show how much depends on which rows were drawn.
    Each draw is a problem as :func:`make_problem` makes it, with the same arguments and of the
    same size; classes that are not reduced are the same in all ``repeats`` draws.

    Returns:
        A problem of all rows that are drawn at least once; its ``draws`` are the positions of
        each repeat's rows among them.
    """
    drawn = [
        make_problem(
            dataset, kind=kind, minority=minority, imbalance=imbalance, seed=seed, repeat=repeat
        )
        for repeat in range(repeats)
    ]
    all_rows = np.concatenate([problem.rows for problem in drawn])
    rows, first = np.unique(all_rows, return_index=True)
    y = np.concatenate([problem.y for problem in drawn])[first]
    draws = tuple(np.searchsorted(rows, problem.rows) for problem in drawn)
    freeze(rows, y, *draws)
    return replace(drawn[0], rows=rows, y=y, draws=draws)


def _name(dataset: Dataset, minority: Sequence[str], imbalance: float | None) -> str:
    """The problem's name, such as ``musk-1-ir0.05``, ``musk-1`` or ``musk``."""
    parts = [dataset.name]
    if minority:
        parts.append("_".join(minority))
    if imbalance is not None:
        parts.append(f"ir{imbalance:.10g}")
    return "-".join(parts)


def _check_arguments(
    dataset: Dataset, kind: str | None, minority: tuple[str, ...], imbalance: float | None
) -> tuple[str, tuple[str, ...]]:
    """The kind and the rare classes, with defaults filled in; refuse what does not fit."""
    where, classes, counts = f"data set {dataset.name}", dataset.classes, dataset.training_counts
    for label in minority:
        if label not in classes:
            raise DataError(f'{where}: there is no class "{label}"{did_you_mean(label, classes)}')
    if len(set(minority)) < len(minority):
        raise DataError(f"{where}: minority names a class twice: {join_names(minority)}")
    if len(minority) == len(classes):
        raise DataError(f"{where}: minority names every class; leave one as majority")
    if imbalance is not None and not 0 < imbalance <= 1:
        raise DataError(f"{where}: imbalance {imbalance} is not in (0, 1]")
    if kind is not None and kind not in KINDS:
        raise DataError(f'{where}: there is no kind "{kind}"{did_you_mean(kind, KINDS)}')

    if len(classes) == 2:
        if kind == "multi-class":
            raise DataError(f'{where} has two classes; set kind = "binary"')
        return "binary", minority or (classes[int(counts.argmin())],)
    if kind == "binary":
        if len(minority) != 1:
            raise DataError(
                f"{where}: a binary problem is one class against the merged rest; name one class "
                f"in minority, not {len(minority)}; the classes are {join_names(classes)}"
            )
        return "binary", minority
    if kind is None and len(minority) == 1:
        return "binary", minority
    if imbalance is not None and not minority:
        raise DataError(f"{where}: imbalance needs minority; name the classes to make rare")
    smallest = tuple(
        label
        for label, count in zip(classes, counts, strict=True)
        if count == counts.min() < counts.max()
    )
    return "multi-class", minority or smallest


def _permuted(dataset: Dataset, code: int, seed: int, repeat: int | None) -> NDArray[np.intp]:
    """The rows of a class, permuted; a problem keeps the first of them."""
    rows = np.flatnonzero(dataset.y == code)
    repeat_part = () if repeat is None else (repeat,)
    class_seed = derive_seed(seed, dataset.name, "downsample", dataset.classes[code], *repeat_part)
    return np.random.default_rng(class_seed).permutation(rows)


def _imbalance_notes(
    name: str, kind: str, counts: NDArray[np.intp], rare: Sequence[int], sizes: Sequence[int]
) -> tuple[str, ...]:
    """Notes about a reduced majority, or a "minority" that is larger than the majority."""
    others = [code for code in range(len(counts)) if code not in rare]
    before, after = (int(sum(c[code] for code in others)) for c in (counts, sizes))
    n_majority = before if kind == "binary" else max(int(counts[code]) for code in others)
    if after < before:
        natural = min(int(counts[code]) for code in rare) / n_majority
        return (
            f"{name}: the imbalance exceeds the natural {natural:.3g}: "
            f"the majority was reduced from {before} to {after} rows",
        )
    if any(sizes[code] > n_majority for code in rare):
        return (f"{name}: a class named as minority has more rows than the majority",)
    return ()
