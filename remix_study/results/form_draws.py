"""Draws of test rows for the forms of a decision: the same rows for every form and method."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from remix_study.results.bootstrap import Bootstrap, Correct
from remix_study.results.forms import Form
from remix_study.results.probabilities import to_prior


def bootstrap_of_forms(bootstrap: Bootstrap | None, forms: Sequence[Form]) -> Bootstrap | None:
    """The draws of test rows for forms by their labels; None where the problem has none."""
    if bootstrap is None:
        return None

    def correction(form: Form) -> Correct:
        return lambda place, p: to_prior(p, *form.moves[place])

    return replace(
        bootstrap,
        runs={form.label: form.method.run for form in forms},
        corrections={form.label: correction(form) for form in forms if form.moves},
        decisions={form.label: form.decide for form in forms if form.decide},
        _cache={},
    )
