"""A problem: a data set made imbalanced, with the same rows for all strategies and all ratios."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from remix_study.data.dataset import Dataset, freeze
from remix_study.errors import DataError, join_names
from remix_study.seeds import derive

KINDS = ("binary", "multi-class")


@dataclass(frozen=True, eq=False)
class Problem:
    """A data set x rare classes x imbalance ratio.

    Attributes:
        name: ``<dataset>-<classes joined by _>-ir<ratio>``, shorter where a part is not given.
        dataset: Where the rows come from.
        kind: ``binary`` or ``multi-class``.
        rows: The kept rows of the data set, ascending, intp of shape (n,).
        y: Class codes 0..K-1, int32 of shape (n,).
        classes: The K class names. Binary: the majority first (``rest`` where it is merged of
            several classes), the rare class second.
        minority: Codes of the rare classes; empty when all classes are equally large.
        imbalance: The requested ratio N_minority / N_majority in (0, 1], or None as it is.
        notes: Warnings that every output repeats, those of the data set first.
        draws: Which rows each repeat uses, as sorted positions, intp; empty where all use all.
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

    @cached_property
    def X(self) -> NDArray[Any]:
        """The features of the kept rows: float64 (n, d), NaN where missing, or uint8 images."""
        X = self.dataset.X[self.rows]
        X.flags.writeable = False
        return X

    @property
    def groups(self) -> NDArray[np.intp] | None:
        """The groups of the kept rows, intp of shape (n,), or None."""
        return None if self.dataset.groups is None else self.dataset.groups[self.rows]

    @property
    def K(self) -> int:
        """The number of classes."""
        return len(self.classes)

    @property
    def counts(self) -> NDArray[np.intp]:
        """Rows of each class, intp of shape (K,); where repeats have draws, of one of them."""
        y = self.y[self.draws[0]] if self.draws else self.y
        return np.bincount(y, minlength=self.K)

    def draw(self, repeat: int) -> Problem:
        """The problem of a repeat's rows alone."""
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

    Binary: one class against all others merged; the ratio is against the size of the merged
    rest. Multi-class: each rare class against the largest class that is not made rare. Always
    N_minority = int(imbalance * N_majority), with the ratio taken as the decimal it is written
    as. The rows kept of a class are the first n of one permutation that depends on the seed, the
    data set and the class alone, so the rows of a smaller ratio are among those of a larger one.

    A ratio above the natural one keeps every row of the rare class and reduces the others: the
    merged rest in proportion to its classes, or, multi-class, each class that is not rare by the
    same factor. A note says so.

    Args:
        dataset: The data set.
        kind: ``binary``, ``multi-class``, or None: binary for two classes, and for more the data
            as they are.
        minority: Names of the rare classes. Without them, the smaller of two classes; of more
            classes those as small as the smallest, unless all are equally large.
        imbalance: N_minority / N_majority in (0, 1]; None keeps all rows.
        seed: The study's seed.
        repeat: Draw other rows for this repeat than for any other, or than for none.

    Raises:
        DataError: An unknown class, a kind that does not fit, a ratio out of range, or a class
            left without rows.
    """
    kind, chosen = _resolve(dataset, kind, minority, imbalance)
    name = _name(dataset, minority if imbalance is None else chosen, imbalance)
    rare = [dataset.classes.index(label) for label in chosen]
    others = [code for code in range(len(dataset.classes)) if code not in rare]
    sizes = [int(count) for count in dataset.counts]
    if imbalance is not None:
        cut = _binary_sizes if kind == "binary" else _multiclass_sizes
        # The ratio as the decimal it is written as: 0.29 of 100 rows are 29, not 28.
        sizes = cut(sizes, rare, others, Fraction(repr(float(imbalance))))
    kept = [_shuffled(dataset, code, seed, repeat)[:size] for code, size in enumerate(sizes)]
    rows = np.sort(np.concatenate(kept))

    labels, classes, marked = dataset.y[rows], dataset.classes, rare
    if kind == "binary":
        rest = classes[others[0]] if len(others) == 1 else "rest"
        classes = ("other" if rest == chosen[0] else rest, chosen[0])
        labels, marked = np.isin(labels, rare).astype(np.intp), [1]
    freeze(rows, y := labels.astype(np.int32))
    counts = np.bincount(y, minlength=len(classes))
    if not counts.all():
        raise DataError(
            f"problem {name}: class {classes[int(counts.argmin())]} would have 0 rows; choose a "
            "larger imbalance"
        )
    notes = (*dataset.notes, *_remarks(name, kind, dataset.counts, rare, sizes))
    return Problem(name, dataset, kind, rows, y, classes, tuple(marked), imbalance, notes)


def _name(dataset: Dataset, minority: Sequence[str], imbalance: float | None) -> str:
    """``musk-1-ir0.05``; ``musk-1`` and ``musk`` where the rest is not given."""
    parts = [dataset.name]
    if minority:
        parts.append("_".join(minority))
    if imbalance is not None:
        parts.append(f"ir{imbalance:.10g}")
    return "-".join(parts)


def _resolve(
    dataset: Dataset, kind: str | None, minority: tuple[str, ...], imbalance: float | None
) -> tuple[str, tuple[str, ...]]:
    """The kind and the rare classes meant, or why they do not fit."""
    where, classes, counts = f"data set {dataset.name}", dataset.classes, dataset.counts
    there_are = f"the classes are {join_names(classes)}"
    for label in minority:
        if label not in classes:
            raise DataError(f"{where}: there is no class {label!r}; {there_are}")
    if len(set(minority)) < len(minority):
        raise DataError(f"{where}: minority names a class twice: {join_names(minority)}")
    if len(minority) == len(classes):
        raise DataError(f"{where}: minority names every class; one must be left as majority")
    if imbalance is not None and not 0 < imbalance <= 1:
        raise DataError(f"{where}: imbalance {imbalance} is not in (0, 1]")
    if kind is not None and kind not in KINDS:
        raise DataError(f"{where}: kind {kind!r} is not known; use {' or '.join(KINDS)}")

    if len(classes) == 2:
        if kind == "multi-class":
            raise DataError(f"{where} has two classes; use kind = 'binary'")
        return "binary", minority or (classes[int(counts.argmin())],)
    if kind == "binary":
        if len(minority) != 1:
            raise DataError(
                f"{where}: a binary problem sets one class against the merged rest; "
                f"name one in minority, not {len(minority)}; {there_are}"
            )
        return "binary", minority
    if kind is None and minority:
        raise DataError(
            f"{where} has {len(classes)} classes; say kind = 'binary' (the rest is merged) or "
            "kind = 'multi-class'"
        )
    if imbalance is not None and not minority:
        raise DataError(f"{where}: imbalance needs minority, the classes to make rare")
    smallest = tuple(
        label
        for label, count in zip(classes, counts, strict=True)
        if count == counts.min() < counts.max()
    )
    return "multi-class", minority or smallest


def _shuffled(dataset: Dataset, code: int, seed: int, repeat: int | None) -> NDArray[np.intp]:
    """The rows of a class in the order in which they are kept."""
    rows = np.flatnonzero(dataset.y == code)
    again = () if repeat is None else (repeat,)
    stream = derive(seed, dataset.name, "downsample", dataset.classes[code], *again)
    return np.random.default_rng(stream).permutation(rows)


def _binary_sizes(
    sizes: Sequence[int], rare: Sequence[int], others: Sequence[int], ratio: Fraction
) -> list[int]:
    """Rows to keep of each class of the data set, for one class against the merged rest."""
    sizes = list(sizes)
    few, many = sizes[rare[0]], sum(sizes[code] for code in others)
    if int(ratio * many) <= few:
        sizes[rare[0]] = int(ratio * many)
        return sizes
    # The smallest majority that needs all rare rows: int(ratio * majority) is then few.
    majority = math.ceil(few / ratio)
    # Webster's method: the k-th row of a class of n stands at (k + 1/2) / n, and the first rows
    # on that scale are kept. Unlike the largest remainder it never takes a row away from a class
    # when the total grows, so larger majorities contain smaller ones.
    scale = np.concatenate([(np.arange(sizes[code]) + 0.5) / sizes[code] for code in others])
    owner = np.repeat(others, [sizes[code] for code in others])
    first = owner[np.argsort(scale, kind="stable")[:majority]]
    for code in others:
        sizes[code] = int((first == code).sum())
    return sizes


def _multiclass_sizes(
    sizes: Sequence[int], rare: Sequence[int], others: Sequence[int], ratio: Fraction
) -> list[int]:
    """Rows to keep of each class, for each rare class against the largest other class."""
    sizes = list(sizes)
    largest = max(sizes[code] for code in others)
    few = min(sizes[code] for code in rare)
    wanted = int(ratio * largest)
    if wanted > few:
        reduced = math.ceil(few / ratio)
        for code in others:
            share = Fraction(sizes[code] * reduced, largest)
            sizes[code] = max(1, math.floor(share + Fraction(1, 2)))
        wanted = few
    for code in rare:
        sizes[code] = wanted
    return sizes


def _remarks(
    name: str, kind: str, counts: NDArray[np.intp], rare: Sequence[int], sizes: Sequence[int]
) -> tuple[str, ...]:
    """What to say when the majority had to give way, or is none."""
    others = [code for code in range(len(counts)) if code not in rare]
    before, after = (int(sum(c[code] for code in others)) for c in (counts, sizes))
    reference = before if kind == "binary" else max(int(counts[code]) for code in others)
    if after < before:
        natural = min(int(counts[code]) for code in rare) / reference
        return (
            f"{name}: the imbalance exceeds the natural {natural:.3g}: "
            f"the majority was reduced from {before} to {after} rows",
        )
    if any(sizes[code] > reference for code in rare):
        return (f"{name}: a class named as minority has more rows than the majority",)
    return ()
