"""A small problem of numeric and nominal columns, and SMOTE-NC's categories by slow loops."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
from small_problems import SmallProblem

from remix_study.batches.nominal import nominal_features
from remix_study.training.problem_rows import put_rows

COLUMNS = ((1, 2, 3), (5,), (6, 7))
"""Nominal columns: three categories, a truth value, two categories; 0, 4, 8 are numeric."""


def mixed_features(n_rows, seed=0, *, has_missing=True):
    """(n, 9) features; some truth values and some texts of the last column are missing."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 9))
    X[:, 1:4] = np.eye(3)[rng.choice(3, n_rows, p=[0.2, 0.3, 0.5])]
    X[:, 5] = rng.integers(0, 2, n_rows)
    X[:, 6:8] = np.eye(2)[rng.integers(0, 2, n_rows)]
    if has_missing:
        X[rng.random(n_rows) < 0.2, 5] = np.nan
        X[rng.random(n_rows) < 0.3, 6:8] = 0
    return X.astype(np.float32)


def with_voted_categories(X, prepared, x, first, neighbours):
    """The rows ``x`` of one batch with categories by vote, one row and column after another."""
    x = x.copy()
    for row, near in enumerate(neighbours):
        voters = [int(position) for position in near if position >= 0]
        for column in map(list, COLUMNS if voters else ()):
            votes = Counter(str(X[voter, column]) for voter in voters).most_common()
            donor = first[row]
            if len(votes) == 1 or votes[0][1] > votes[1][1]:
                donor = next(v for v in voters if str(X[v, column]) == votes[0][0])
            x[row, column] = prepared[donor, column]
    return x


class MixedProblem(SmallProblem):
    """Rows of overlapping classes with numeric and nominal features, one class small."""

    def __init__(self):
        super().__init__(n_features=9)
        self.y = np.random.default_rng(3).choice(3, len(self.y), p=[0.6, 0.3, 0.1]).astype("i4")
        self.X = mixed_features(len(self.y))
        self.X[:, 0] += self.y
        self.nominal = nominal_features(self.X, COLUMNS)

    def prepared(self):
        """As the engine has them: the fill value is 0."""
        return np.clip(np.nan_to_num(self.X), -5, 5)

    def members(self, sizes=(96, 96, 96), first_seed=7):
        """Members whose training rows know what is nominal."""
        members = []
        for member in super().members(sizes, first_seed):
            rows = member.training.rows
            training = replace(
                member.training,
                features=lambda rows=rows: self.prepared()[rows],
                nominal=replace(self.nominal, codes=self.nominal.codes[rows]),
            )
            members.append(replace(member, training=training))
        return members

    def engine(self, members, stack=None, **options):
        """An engine that knows what is nominal."""
        engine = super().engine(members, stack, **options)
        engine.data = put_rows(self.X, self.y, self.nominal)
        return engine

    def with_voted_categories(self, x, first, neighbours):
        """See above."""
        return with_voted_categories(self.X, self.prepared(), x, first, neighbours)
