"""What people call metrics leads to the names here."""

from __future__ import annotations

import pytest

from remix_study.metrics import BUILT_IN_METRICS, EXTRA_METRICS, metric_hint
from remix_study.metrics.other_names import _NAMES


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pr_auc", "average_precision"),
        ("PR-AUC", "average_precision"),
        ("auc", "roc_auc"),
        ("roc", "roc_auc"),
        ("balanced_acc", "balanced_accuracy"),
        ("f-score", "f1"),
        ("F1", "f1"),
        ("gmean", "g_mean"),
        ("G-Mean", "g_mean"),
        ("sensitivity", "recall"),
        ("f0_5", "f0.5"),
        ("top_k", "accuracy"),
        ("top5", "accuracy"),
    ],
)
def test_names_people_use(name, expected):
    hint = metric_hint(name, BUILT_IN_METRICS)
    assert hint.endswith(f'write "{expected}"')
    assert hint.startswith("; ")


def test_others_get_similar_names_or_all():
    assert metric_hint("balanced_acuracy", BUILT_IN_METRICS) == (
        '; did you mean "balanced_accuracy"?'
    )
    assert "known: g_mean" in metric_hint("xyz", BUILT_IN_METRICS)
    # What is not allowed here is not offered.
    assert "write" not in metric_hint("auc", EXTRA_METRICS)


def test_every_other_name_leads_to_a_metric_and_is_none():
    assert set(_NAMES.values()) <= set(BUILT_IN_METRICS)
    assert not _NAMES.keys() & set(BUILT_IN_METRICS)
