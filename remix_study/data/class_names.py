"""The classes of a data set: names that may be the same, and classes merged or left out by key."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from remix_study.data.dataset import Dataset, check_labels, class_name, encode_labels, freeze
from remix_study.data.plain_cells import text_of
from remix_study.errors import DataError, did_you_mean
from remix_study.studyfile.validation import as_toml

_ALIKE = "classes differ in case, blanks or leading zeros only"
_LEADING_ZEROS = re.compile(r"(?<![\d.,])0+(?=\d)")
# Names that a note lists.
_SHOWN = 12


def similar_class_notes(where: str, labels: Iterable[object]) -> list[str]:
    """A note if labels differ in case, blanks or leading zeros only, with their counts.

    Args:
        where: The start of the note.
        labels: The label of each row, as it is written.
    """
    counts = Counter(map(text_of, labels))
    groups = [sorted(texts, key=counts.__getitem__)[::-1] for texts in _alike(counts)]
    if not groups:
        return []
    shown = "; ".join(
        ", ".join(f"{as_toml(text)} ({counts[text]} rows)" for text in texts[:_SHOWN])
        for texts in groups[:_SHOWN]
    )
    note = f"{where}: {_ALIKE}: {shown}"
    names = [list(dict.fromkeys(map(class_name, texts))) for texts in groups]
    merges = {texts[0]: texts[1:] for texts in names if len(texts) > 1}
    if not merges:
        return [f"{note}; blanks around a name are taken off"]
    first = dict(list(merges.items())[:2])
    return [f"{note}; if they are one, write classes.merge = {as_toml(first)}"]


def _alike(texts: Iterable[str]) -> list[list[str]]:
    """Groups of two texts or more that look alike, also by accents that are two characters."""
    groups: dict[str, list[str]] = {}
    for text in texts:
        plain = unicodedata.normalize("NFC", " ".join(text.split())).casefold()
        groups.setdefault(_LEADING_ZEROS.sub("", plain), []).append(text)
    return [group for group in groups.values() if len(group) > 1]


def choose_classes(
    dataset: Dataset, merge: Mapping[str, Sequence[str]], drop: Sequence[str]
) -> Dataset:
    """Merge classes of a data set and leave out rows of others.

    Args:
        dataset: The data set.
        merge: The classes that become one, by its name, which may be that of a class.
        drop: The classes whose rows are left out.

    Raises:
        DataError: An unknown class, one that is named twice, or fewer than two classes left.
    """
    if not merge and not drop:
        return dataset
    where = f"data set {dataset.name}"
    names = dict(zip(dataset.classes, dataset.classes, strict=True))
    named = [*drop, *(old for texts in merge.values() for old in texts)]
    for label in named:
        if label not in names:
            raise DataError(f'{where}: classes: no class "{label}"{did_you_mean(label, names)}')
    if twice := [label for label, times in Counter(named).items() if times > 1]:
        raise DataError(f'{where}: classes: "{twice[0]}" is named twice; name it once')
    names |= {old: new for new, texts in merge.items() for old in texts}
    is_kept = ~np.isin(dataset.y, [dataset.classes.index(label) for label in drop])
    rows = np.flatnonzero(is_kept)
    new_names = np.array([names[label] for label in dataset.classes], dtype=object)
    if not len(rows):
        raise DataError(f"{where}: classes.drop leaves no row; drop fewer classes")
    y, classes = encode_labels(new_names[dataset.y[rows]])
    check_labels(classes, len(y), where)
    X, groups, split, weights = dataset.X, dataset.groups, dataset.split, dataset.weights
    if len(rows) < len(X):
        X = X[rows]
        groups = None if groups is None else np.unique(groups[rows], return_inverse=True)[1]
        split = None if split is None else split.of_rows(rows)
        weights = None if weights is None else weights[rows]
    freeze(X, y, groups, weights)
    # A user who merged those that look alike knows of them.
    notes = tuple(note for note in dataset.notes if _ALIKE not in note or _alike(classes))
    chosen = replace(dataset, X=X, y=y, classes=classes, groups=groups, notes=notes)
    return replace(chosen, split=split, weights=weights)
