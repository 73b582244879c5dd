"""The page of all keys of a study file with their defaults, made from the schema.

``docs/keys.md`` is what :func:`key_page` returns; a test compares them. To write it anew::

    python -m remix_study.studyfile.key_table > docs/keys.md
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence

import msgspec
from msgspec import Struct
from msgspec.inspect import Field, StructType

from remix_study.studyfile.cross_validation import CrossValidation
from remix_study.studyfile.estimators import EstimatorTable
from remix_study.studyfile.features import Features
from remix_study.studyfile.given_split import GivenSplit
from remix_study.studyfile.metric_keys import Decision, OwnMetric, ReportKeys
from remix_study.studyfile.model_options import (
    CnnOptions,
    MlpOptions,
    RotateShiftOptions,
    TabmOptions,
)
from remix_study.studyfile.parsing import StudyTable
from remix_study.studyfile.schema import (
    PRESETS,
    Augmentation,
    Model,
    ProblemSpec,
    Search,
    Training,
)
from remix_study.studyfile.table_format import ClassChoice, TableFormat
from remix_study.studyfile.validation import as_toml, describe

# Title, what is said below it, and the structs whose fields are its keys.
SECTIONS: tuple[tuple[str, str, tuple[type[Struct], ...]], ...] = (
    ("[study]", "", (StudyTable,)),
    (
        "[[problems]]",
        "A problem may also have any key of `[training]`, which then holds for it alone.",
        (ProblemSpec, GivenSplit, TableFormat),
    ),
    ("[problems.classes]", "", (ClassChoice,)),
    ("[cv]", "", (CrossValidation,)),
    ("[model]", "A network of your own has the options that its function takes.", (Model,)),
    ('[model] with name = "mlp"', "", (MlpOptions,)),
    (
        '[model] with name = "tabm"',
        "TabM (Gorishniy et al., 2025): many networks in one, trained one fold after the other.",
        (TabmOptions,),
    ),
    ('[model] with name = "cnn"', "", (CnnOptions,)),
    ("[features]", "", (Features,)),
    ("[augmentation]", "", (Augmentation, RotateShiftOptions)),
    ("[training]", "", (Training,)),
    ("[search]", "", (Search,)),
    ("[decision]", "", (Decision,)),
    ("[report]", "", (ReportKeys,)),
    (
        "[metrics.NAME]",
        "A metric of your own. Every study stores it; objectives and constraints may name it.",
        (OwnMetric,),
    ),
    (
        "[estimators.NAME]",
        "A classifier that `search.estimators` names: [estimators.md](estimators.md).",
        (EstimatorTable,),
    ),
)

_HEAD = """# Keys of a study file

Every key with the value that it has where a file leaves it out. `run --dry-run` shows the values
of a study. This page is made from the schema (`remix_study/studyfile/key_table.py`).
"""

SEARCH_SPACE = """
## [search.space]

| key | meaning |
|---|---|
| `strategy` | Names of strategies. Left out, without the next three keys: the first seven of [methods.md](methods.md). |
| `sampler`, `mixing`, `loss` | Parts of strategies, in place of `strategy`. |
| `alpha` | Values of alpha for every strategy that mixes; `alpha.remix` those of one. Left out: the paper's. |
| `ratio` | Shares of a batch that the rare classes get together, above 0 and below 1, for strategies that balance batches. Left out: equal shares of all classes. |
| a key of `[training]` | Values to try, but for `preset`, `on_nan`, `stack`, `monitor` and `precision`. |
| `model.` and an option, `features.` and a key | Values to try. |

Values are a list or, for a search, a range `{ low = 0.01, high = 1.0, log = true }`.
A grid has 100,000 configurations at most.

## [search.then]

A search that follows a grid, on the same folds, such as one over alpha after a comparison of
methods: `algorithm`, `trials`, `constraints` and `prune` as in `[search]`, and a space of its own,
`[search.then.space]`. The report ranks and judges the methods of the grid, and shows beside them
what the search found. It may be added to a grid that is complete.
"""  # noqa: E501 - rows of a table


def key_page() -> str:
    """The page as Markdown: a table for each table of a study file."""
    sections = [
        "\n".join(filter(None, [f"\n## {title}\n", below and f"{below}\n", _table(structs)]))
        for title, below, structs in SECTIONS
    ]
    return "".join([_HEAD, *sections, SEARCH_SPACE])


def _table(structs: Sequence[type[Struct]]) -> str:
    rows = ["| key | default | allowed | meaning |", "|---|---|---|---|"]
    for struct in structs:
        meanings = attribute_docs(struct)
        for field in plain_fields(struct):
            default = "required" if field.required else _default(struct, field.name)
            allowed = describe(field.type)
            rows.append(
                f"| `{field.encode_name}` | {default} | {allowed} | {meanings[field.name]} |"
            )
    return "\n".join(rows) + "\n"


def plain_fields(struct: type[Struct]) -> list[Field]:
    """Fields of a struct that hold values; tables in it have sections of their own."""
    info = msgspec.inspect.type_info(struct)
    assert isinstance(info, StructType)
    # The parser sets these two.
    of_parser = ("options", "is_hypermodel")
    return [
        field
        for field in info.fields
        if field.name not in of_parser and not isinstance(field.type, StructType)
    ]


def _default(struct: type[Struct], name: str) -> str:
    value = next(f.default for f in msgspec.structs.fields(struct) if f.name == name)
    if value is None:
        return ""
    # The default of a table is a function that makes an empty one.
    shown = "{}" if value is msgspec.NODEFAULT else as_toml(value)
    paper = PRESETS["paper"].get(name) if struct is Training else None
    of_preset = f"; preset `paper`: `{as_toml(paper)}`" if paper is not None else ""
    return f"`{shown}`{of_preset}"


def attribute_docs(struct: type[Struct]) -> dict[str, str]:
    """What the docstring of a struct says of each attribute, as one line of Markdown."""
    text = inspect.getdoc(struct) or ""
    _, _, attributes = text.partition("Attributes:\n")
    entries = re.findall(r"^    (\w+): (.*(?:\n        .*)*)", attributes, re.MULTILINE)
    return {name: " ".join(meaning.split()).replace("``", "`") for name, meaning in entries}


if __name__ == "__main__":
    print(key_page(), end="")
