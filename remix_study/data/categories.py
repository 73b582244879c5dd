"""Features of texts: one column a category, hashed codes of many categories, hashed words.

Nothing here looks at labels, and everything looks at all rows, so that a column has the same
features in all folds. Hashes have no state: a text has one code, whatever other texts there are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from remix_study.data.text_column import CONSTANT, ColumnKind, FeatureBlock, TextColumn

MAX_ONE_HOT = 100
"""Most categories of a column that get a feature each; columns of more are hashed."""

MANY_CATEGORIES = 50
"""One-hot columns from which a note is added."""

HASHED_FEATURES = 64
"""Features that the categories of one column share where there are more."""

SENTENCE_FEATURES = 128
"""Features that the words of one column of sentences share, and groups of their letters."""

# Half of them are a code of the category's own: so many set to 1 or -1. With one, 60 of 2,000
# categories would share a feature and be one; with four, hardly two have the same code.
_SIGNS = 4
# The others count groups of so many letters, so that texts which look alike are close. Together
# they serve a dense network as well as skrub's MinHashEncoder with as many features.
_LETTERS = (2, 4)
# Of sentences: with digits and signs, which tell advertising from letters, for example.
_FEWER_LETTERS = (1, 3)
# A category of fewer rows, and in a smaller table of fewer than a hundredth of them, is rare.
_RARE_ROWS = 5
_RARE_SHARE = 0.01
# Sentences: more words than this on average.
_WORDS = 3
_PART = 1 << 14


def is_free_text(column: TextColumn) -> bool:
    """Whether a column holds sentences rather than categories: many different ones of some words.

    The first hundred thousand different texts decide on their length.
    """
    n_levels = len(column.levels)
    if n_levels <= MAX_ONE_HOT and n_levels < column.n_present:
        return False
    sample = column.levels[:100_000]
    return bool(np.mean([text.count(" ") + 1 for text in sample]) > _WORDS)


def encode_categories(column: TextColumn) -> FeatureBlock:
    """Make one feature a category in sorted order, rare ones sharing one, or hashed codes of many.

    Where the text is missing all of them are 0.
    """
    rare = _rare_levels(column)
    n_shown = len(column.levels) - int(rare.sum())
    if n_shown + bool(rare.any()) > MAX_ONE_HOT:
        return _hashed_categories(column)
    positions = np.where(rare, n_shown, np.cumsum(~rare) - 1)
    names = [f"{column.name}={level}" for level in column.levels[~rare]]
    notes = []
    if rare.any():
        names.append(f"{column.name}=<rare>")
        notes.append(
            (
                "has rare categories, which share a feature",
                f"{rare.sum()} of {len(rare)} in {column.counts[rare].sum()} rows",
            )
        )
    if len(names) > MANY_CATEGORIES:
        notes.append(("became a feature a category", f"{len(names)} categories"))
    if len(names) == 1 and column.n_present == len(column.codes):
        notes.append((CONSTANT, ""))

    def fill(out: NDArray[np.float64]) -> None:
        out[:] = 0
        present = np.flatnonzero(column.codes >= 0)
        out[present, positions[column.codes[present]]] = 1

    levels = dict(zip(column.levels.tolist(), positions.tolist(), strict=True))
    block = FeatureBlock(tuple(names), fill, tuple(notes), is_nominal=True)
    return replace(block, kind="category", levels=levels)


def encode_texts_like(
    kind: ColumnKind, names: Sequence[str], levels: Mapping[str, int], column: TextColumn
) -> FeatureBlock:
    """Make the features of other rows of a column whose kind, names and levels are known."""
    if kind != "category":
        return _hashed_categories(column) if kind == "hashed" else encode_sentences(column)
    places = [levels.get(level) for level in column.levels.tolist()]
    table = np.zeros((len(places) + 1, len(names)))
    for row, place in enumerate(places):
        table[row, place or 0] = place is not None
    unseen = np.array([place is None for place in places], dtype=bool)
    note = (
        "has categories in test rows that no training row has; they count as missing",
        f"{unseen.sum()} in {column.counts[unseen].sum()} rows",
    )
    return FeatureBlock(
        tuple(names),
        lambda out: column.rows_of(table, out),
        (note,) if unseen.any() else (),
        is_nominal=True,
    )


def _rare_levels(column: TextColumn) -> NDArray[np.bool_]:
    """Categories of too few rows to learn from; none where that would be most of the rows."""
    fewest = min(_RARE_ROWS, _RARE_SHARE * len(column.codes))
    rare = column.counts < fewest
    if rare.sum() < 2 or column.holds_mostly(rare):
        return np.zeros(len(rare), dtype=bool)
    return rare


def _hashed_categories(column: TextColumn) -> FeatureBlock:
    """Hash the letters of each category, and the category itself to a code of a few 1 and -1."""
    from sklearn.feature_extraction import FeatureHasher
    from sklearn.feature_extraction.text import HashingVectorizer

    half = HASHED_FEATURES // 2
    letters = HashingVectorizer(analyzer="char_wb", ngram_range=_LETTERS, n_features=half)
    parts = ([f"{turn}:{level}" for turn in range(_SIGNS)] for level in column.levels)
    codes = FeatureHasher(half, input_type="string").transform(parts)
    features = np.hstack([letters.transform(column.levels).toarray(), codes.toarray()])
    table = np.vstack([features, np.zeros(HASHED_FEATURES)])
    note = (
        f"became {HASHED_FEATURES} features by hashing, as it has more than {MAX_ONE_HOT} "
        "categories; drop it if it is an identifier",
        f"{len(column.levels):,} categories",
    )
    return FeatureBlock(
        _numbered(column.name, "hash", HASHED_FEATURES),
        lambda out: column.rows_of(table, out),
        (note,),
        kind="hashed",
    )


def encode_sentences(column: TextColumn) -> FeatureBlock:
    """Count words, and groups of letters, in hashed features; each half has length one."""
    from sklearn.feature_extraction.text import HashingVectorizer

    half = SENTENCE_FEATURES // 2
    words = HashingVectorizer(n_features=half)
    letters = HashingVectorizer(analyzer="char_wb", ngram_range=_FEWER_LETTERS, n_features=half)
    texts = np.append(column.levels, "")

    def fill(out: NDArray[np.float64]) -> None:
        for start in range(0, len(out), _PART):
            rows = slice(start, start + _PART)
            out[rows, :half] = words.transform(texts[column.codes[rows]]).toarray()
            out[rows, half:] = letters.transform(texts[column.codes[rows]]).toarray()

    note = (f"holds sentences, which became {SENTENCE_FEATURES} features by hashing", "")
    names = (*_numbered(column.name, "word", half), *_numbered(column.name, "letter", half))
    return FeatureBlock(names, fill, (note,), kind="sentence")


def _numbered(name: str, what: str, n_features: int) -> tuple[str, ...]:
    return tuple(f"{name}.{what}{number}" for number in range(n_features))
