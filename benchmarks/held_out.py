"""Do a card's intervals hold? Scores of held-out rows against what the card of the model says.

    python benchmarks/held_out.py FILE... [--json FILE] [--markdown FILE]

Of each table 30 % of the rows, stratified by class, are put away. The default study, with
fewer repeats, is run on the others, ``fit`` trains what it decides, and the model answers for the
rows that were put away. The interval is the card's, for a new set of as many rows.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

import remix_study
from remix_study.data.readers import read_tables
from remix_study.deploy.card import prediction_interval
from remix_study.metrics import score
from remix_study.study.default_study import plan_file
from remix_study.studyfile.table_format import TableFormat

METRICS = ("bbs", "g_mean")
SHARE = 0.3


def _study_text(label: str, repeats: int) -> str:
    """The default study with fewer repeats, and as many trials of its search."""
    text = plan_file("train.csv", label).text
    text = re.sub(r"repeats = \d+", f"repeats = {repeats}", text)
    return re.sub(r"trials = \d+", f"trials = {repeats}", text)


def held_out(path: Path, repeats: int) -> dict[str, Any]:
    """Run a table in the current folder, which is empty; one row of the result's table."""
    frame = read_tables([path], TableFormat(header=False), []).frame
    label = str(frame.columns[-1])
    train_rows, test_rows = train_test_split(
        np.arange(len(frame)), test_size=SHARE, stratify=frame[label], random_state=0
    )
    frame.iloc[train_rows].to_csv("train.csv", index=False)
    frame.iloc[test_rows].to_csv("held.csv", index=False)
    started = time.perf_counter()
    Path("train.toml").write_text(_study_text(label, repeats))
    remix_study.run("train.toml")
    model = remix_study.fit("train.toml", output="model")
    seconds = time.perf_counter() - started
    p = model.predict_proba("held.csv")
    names = frame[label].iloc[test_rows].astype(str).str.strip()
    y = np.array([model.classes.index(name) for name in names], np.int32)
    codes = model.answers.codes(p)
    scores = score(y, p, len(model.classes))
    recalls = [float((codes[y == code] == code).mean()) for code in np.unique(y)]
    values = {"bbs": scores["bbs"], "g_mean": float(np.prod(recalls) ** (1 / len(recalls)))}
    row = {"table": path.name.partition(".")[0], "rows": len(frame), "held out": len(test_rows)}
    row |= {"method": model.manifest["method"], "form": model.manifest["form"]}
    for metric in METRICS:
        of_folds = model.manifest["scores"][metric]
        low, high = prediction_interval(metric, of_folds, len(test_rows))
        inside = low is not None and high is not None and low <= values[metric] <= high
        row[metric] = {"mean": of_folds["mean"], "low": low, "high": high}
        row[metric] |= {"held out": values[metric], "inside": inside}
    return row | {"seconds": round(seconds)}


def markdown(rows: list[dict[str, Any]]) -> str:
    """The rows as a Markdown table."""
    lines = ["| table | rows | held out | model | metric | card: mean (interval) | held out |"]
    lines.append("|---|---|---|---|---|---|---|")
    for row in rows:
        for metric in METRICS:
            s = row[metric]
            name = (
                row["method"] if row["form"] == "as trained" else f"{row['method']}, {row['form']}"
            )
            card = f"{s['mean']:.3f} ({s['low']:.3f} to {s['high']:.3f})"
            verdict = "" if s["inside"] else ", outside"
            cells = (row["table"], row["rows"], row["held out"], name, metric, card)
            lines.append(f"| {' | '.join(map(str, cells))} | {s['held out']:.3f}{verdict} |")
    return "\n".join(lines)


def main() -> None:
    """Run all tables, each in a folder of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--repeats", type=int, default=3, help="of the study's cross-validation")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    paths = [path.absolute() for path in options.files]
    targets = {kind: getattr(options, kind) for kind in ("json", "markdown")}
    targets = {kind: path.absolute() for kind, path in targets.items() if path}
    for path in paths:
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            rows.append(held_out(path, options.repeats))
            os.chdir("/")
        print(markdown(rows[-1:]), flush=True)
        if "json" in targets:
            targets["json"].write_text(json.dumps(rows, indent=2) + "\n")
        if "markdown" in targets:
            targets["markdown"].write_text(markdown(rows) + "\n")


if __name__ == "__main__":
    main()
