"""Studies of thousands of trials, made by copying rows of a few.

What is measured then is what a run would meet that has trained them all.
"""

from __future__ import annotations

import json
import uuid
from typing import Any

import sqlalchemy
from sqlalchemy import MetaData, func, insert, select, text
from tiny_studies import tiny

from remix_study.study.configurations import label_of
from remix_study.study.tables import RUN_ATTRIBUTE, SLOT_ATTRIBUTE
from remix_study.study.trials import ASKED_FOR

OF_RUNS = ("remix_folds", "remix_scores", "remix_probabilities")
OF_TRIALS = ("trial_params", "trial_values", "trial_user_attributes")


def alpha_of(number: int) -> float:
    """Alpha of a trial by its number."""
    return round(0.001 * (number + 1), 3)


def grid_of(configurations: int) -> str:
    """The tiny study with so many values of alpha."""
    alphas = ", ".join(repr(alpha_of(number)) for number in range(configurations))
    return tiny(('["baseline", "remix"]', '["remix"]'), ("[0.0, 0.1]", f"[{alphas}]"))


def grow(url: str, size: int) -> None:
    """Copy rows of the newest complete trial until a study has so many trials.

    Each copy has an alpha of its own and nearly the same scores, and in a search the slot of its
    number.
    """
    engine = sqlalchemy.create_engine(url)
    metadata = MetaData()
    metadata.reflect(engine)
    table = metadata.tables
    with engine.begin() as connection:
        trials, runs = table["trials"], table["remix_runs"]
        n_trials = connection.execute(select(func.count()).select_from(trials)).scalar_one()
        is_complete = trials.c.state == "COMPLETE"
        last = select(trials).where(is_complete).order_by(trials.c.number.desc()).limit(1)
        trial = dict(connection.execute(last).mappings().one())
        attributes = table["trial_user_attributes"].c
        is_its_run = (attributes.trial_id == trial["trial_id"]) & (attributes.key == RUN_ATTRIBUTE)
        its_uuid = connection.execute(select(attributes.value_json).where(is_its_run)).scalar_one()
        query = select(runs).where(runs.c.uuid == json.loads(its_uuid))
        run = dict(connection.execute(query).mappings().one())
        last_trial, last_run = (
            connection.execute(select(func.max(key))).scalar_one()
            for key in (trials.c.trial_id, runs.c.id)
        )
        rows: dict[str, list[dict[str, Any]]] = {}

        def copies(name: str, key: str, value: int) -> list[dict[str, Any]]:
            source = table[name]
            query = select(source).where(source.c[key] == value)
            return [dict(row) for row in connection.execute(query).mappings()]

        of_trial = {name: copies(name, "trial_id", trial["trial_id"]) for name in OF_TRIALS}
        for number in range(n_trials, size):
            shift, alpha, identity = number - n_trials + 1, alpha_of(number), str(uuid.uuid4())
            new_run = run | {"id": last_run + shift, "uuid": identity}
            if "alpha" in run["parameters"]:
                parameters = run["parameters"] | {"alpha": alpha}
                new_run |= {
                    "parameters": parameters,
                    "alpha": alpha,
                    "label": label_of(parameters),
                }
            rows.setdefault("remix_runs", []).append(new_run)
            new_trial = {"number": number, "trial_id": last_trial + shift}
            rows.setdefault("trials", []).append(trial | new_trial)
            for name, originals in of_trial.items():
                own_key = next(iter(table[name].primary_key)).name
                for original in originals:
                    row = original | {"trial_id": last_trial + shift}
                    del row[own_key]
                    if row.get("param_name") == "alpha":
                        row["param_value"] = alpha
                    if row.get("key") == RUN_ATTRIBUTE:
                        row["value_json"] = json.dumps(identity)
                    elif row.get("key") in (SLOT_ATTRIBUTE, ASKED_FOR):
                        row["value_json"] = json.dumps(number)
                    rows.setdefault(name, []).append(row)
        # Those that others refer to come first.
        for name in ("trials", "remix_runs", *OF_TRIALS):
            if name in rows:
                connection.execute(insert(table[name]), rows[name])
        # Most rows are scores, which the database copies itself.
        for source in (table[name] for name in OF_RUNS):
            own = {"run_id": runs.c.id}
            if source.name == "remix_scores":
                # Each copy is a little worse, or better, than the one before.
                own["value"] = source.c.value * (1 - 1e-6 * (runs.c.id - last_run))
            columns = [own.get(column.name, column) for column in source.c]
            new_runs = source.join(runs, runs.c.id > last_run)
            query = select(*columns).select_from(new_runs).where(source.c.run_id == run["id"])
            connection.execute(insert(source).from_select(source.c.keys(), query))
        if engine.dialect.name == "postgresql":
            # Its sequences know nothing of ids that were given, nor its planner of the rows.
            for name, key in (("trials", "trial_id"), ("remix_runs", "id")):
                sequence = f"pg_get_serial_sequence('{name}', '{key}')"
                connection.execute(text(f"SELECT setval({sequence}, max({key})) FROM {name}"))
            connection.execute(text("ANALYZE"))
    engine.dispose()
