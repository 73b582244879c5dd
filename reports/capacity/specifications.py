"""Write the study files of one free choice at a time: studies/specification.toml with one change.

    python reports/capacity/specifications.py FOLDER

The changes are those of PLAN.md beside this file. The reference they are compared with, the file
unchanged, has the same numbers as the methods at `authors` and alpha 0.1 of `capacity-binary` and
`capacity-multiclass`, so it is not run again.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

BASE = Path(__file__).parents[2] / "studies" / "specification.toml"
_BATCHES = "[training]", "batch_size = 128"
# Name of the choice -> (section, line) pairs, which are put in place of a line of the same key.
CHOICES: dict[str, tuple[tuple[str, str], ...]] = {
    "early-stopping": (("[training]", 'preset = "quick"'),),
    "all-epochs": (("[training]", 'stop = "never"'),),
    "batch-128": (_BATCHES,),
    "no-dropout": (("[model]", "dropout = 0.0"),),
    "quantile": (("[features]", 'numeric = "quantile"'),),
    "piecewise-linear": (("[features]", 'numeric = "piecewise-linear"'),),
    "validation-10": (("[cv]", "validation = 0.1"),),
    "redrawn": (("[cv]", "redraw = true"),),
    "grouped": (("[cv]", "grouped = true"),),
    "lambda-a-row": (
        ("[search.space]", 'sampler = ["natural", "balanced"]'),
        ("[search.space]", 'mixing = ["beta-sample"]'),
    ),
}
_DATASETS_WITH_GROUPS = ("musk", "seizure")


def study_text(choice: str) -> str:
    """The study file of a choice."""
    text = BASE.read_text(encoding="utf-8")
    text = text.replace('name = "specification"', f'name = "specification-{choice}"')
    changes = CHOICES[choice]
    if any(line.startswith("sampler") for _, line in changes):
        text = re.sub(r"(?m)^strategy = .*\n", "", text)
    if _BATCHES in changes:
        text = re.sub(r"(?m)^batch_size = .*\n", "", text)
    for section, line in changes:
        key = line.split(" ")[0]
        text = re.sub(rf"(?m)^{key} = .*\n", "", text)
        text = text if section in text else f"{text}\n{section}\n"
        text = text.replace(f"{section}\n", f"{section}\n{line}\n")
    if choice == "grouped":
        blocks = re.split(r"(?m)^(?=\[\[problems\]\]|\[cv\])", text)
        names = "|".join(_DATASETS_WITH_GROUPS)
        text = "".join(
            block
            for block in blocks
            if not block.startswith("[[problems]]") or re.search(f'dataset = "({names})"', block)
        )
    return text


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name in CHOICES:
        (folder / f"specification-{name}.toml").write_text(study_text(name), encoding="utf-8")
