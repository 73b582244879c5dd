"""Finding and parsing a study file: TOML in, a frozen study out; mistakes named by their key."""

from __future__ import annotations

import errno
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from remix_study.errors import StudyFileError, did_you_mean, join_names, path_fault
from remix_study.metrics import PUBLISHED_METRICS
from remix_study.studyfile.cross_validation import CrossValidation
from remix_study.studyfile.estimators import parse_estimators
from remix_study.studyfile.given_split import SPLIT_KEYS, parse_given_split
from remix_study.studyfile.metric_keys import ReportKeys, parse_decision, parse_own_metrics
from remix_study.studyfile.model_options import parse_augmentation, parse_model
from remix_study.studyfile.query import check_query
from remix_study.studyfile.schema import (
    Keep,
    Name,
    ProblemSpec,
    Search,
    Study,
)
from remix_study.studyfile.search_space import parse_space
from remix_study.studyfile.table_format import TABLE_KEYS, parse_classes, parse_table_format
from remix_study.studyfile.training_keys import TRAINING_KEYS, parse_training
from remix_study.studyfile.validation import convert, key_as_toml

_FILE_FAULTS = {
    os.strerror(errno.ENOENT): "no such file, nor a built-in study",
    os.strerror(errno.EISDIR): "is a folder; name the study file in it",
}
_PACKAGE = Path(__file__).resolve().parents[1]
# Inside the package where it was installed, beside it in a source tree.
_FOLDERS = (_PACKAGE / "studies", _PACKAGE.parent / "studies")

_SECTIONS = (
    "study", "problems", "cv", "model", "features", "augmentation", "training", "search",
    "estimators", "decision", "report", "metrics",
)  # fmt: skip


_COLUMN_KEYS = ("label", "groups", "weights", "drop")


class StudyTable(Struct, frozen=True, forbid_unknown_fields=True):
    """The keys of ``[study]``.

    Attributes:
        name: First half of each Optuna study's name, ``<name>/<problem>``.
        seed: Seed from which every random draw is derived.
        objectives: Metrics of validation parts that Optuna optimises.
        extra_metrics: Metrics stored beside those of every study.
        note: A sentence that every output repeats.
        keep: Probabilities that the database keeps of each trial: ``all`` in 32 bits; ``16 bits``,
            in a quarter of the space for two classes and half for more, from which calibration,
            corrections and thresholds may differ in the third digit; ``none``, so that pages lack
            these; ``auto`` is ``all`` up to 2.5 MB a trial, else ``16 bits``. Scores are of 32
            bits in each case.
        rare_rows: Whether the best methods are trained again with a quarter, half and three
            quarters of the rare classes' training rows; see ``docs/rare-rows.md``.
    """

    name: Name
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 2020
    objectives: Annotated[tuple[str, ...], Meta(min_length=1)] = PUBLISHED_METRICS
    extra_metrics: tuple[str, ...] = ()
    note: Annotated[str, Meta(max_length=500)] = ""
    keep: Keep = "auto"
    rare_rows: bool = False


def built_in_studies() -> dict[str, Path]:
    """Map the name of every study that comes with the package to its file, in order of names."""
    folder = next(filter(Path.is_dir, _FOLDERS), _FOLDERS[0])
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def find_study(name: str) -> Path:
    """Return the study file that a user names by its path or as a built-in study.

    Raises:
        StudyFileError: There is neither.
    """
    studies = built_in_studies()
    # A folder may happen to be called like a built-in study.
    if os.path.isdir(name) and name in studies:
        return studies[name]
    if os.path.exists(name) or name.endswith(".toml"):
        return Path(name)
    if name not in studies:
        raise StudyFileError(
            f"{name}: no study file, nor a built-in study of this name"
            f"{did_you_mean(name, studies)}"
        )
    return studies[name]


def load_study(path: str | Path) -> Study:
    """Read a study file.

    Raises:
        StudyFileError: The file is missing or not TOML, or a key is unknown or has a value that
            is not allowed; the message names the file and the key and says what is allowed.
    """
    path = Path(path)
    if reason := path_fault(path):
        raise StudyFileError(f"{path}: {_FILE_FAULTS.get(reason, f'cannot be read ({reason})')}")
    try:
        # Some editors put a byte order mark first, which TOML does not know.
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise StudyFileError(f"{path}: not a text file in UTF-8 ({error.reason})") from error
    return parse_study(text, str(path))


def named_study(word: str) -> Study | None:
    """The study file that a word names; None for the name of a study in a database.

    Raises:
        StudyFileError: The word ends in .toml, and there is no such study file.
    """
    if word.endswith(".toml"):
        return load_study(word)
    try:
        return load_study(word) if os.path.isfile(word) else None
    except StudyFileError:
        # A file that happens to be called like a study.
        return None


def parse_study(text: str, source: str = "study") -> Study:
    """Parse the text of a study file; ``source`` is its path.

    Raises:
        StudyFileError: As :func:`load_study`.
    """
    try:
        tables = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        # ValueError also for numbers of thousands of digits, RecursionError for nested brackets.
        raise StudyFileError(f"{source}: not valid TOML: {error}") from error
    try:
        return _study(tables, text, source)
    except StudyFileError as error:
        raise StudyFileError(f"{source}: {error}") from error


def _study(tables: dict[str, Any], text: str, source: str) -> Study:
    for key in tables:
        if key not in _SECTIONS:
            raise StudyFileError(f"{key_as_toml(key)}: unknown key{did_you_mean(key, _SECTIONS)}")
    header = convert(_table(tables, "study"), StudyTable, "study")
    for key in ("objectives", "extra_metrics"):
        if len(set(getattr(header, key))) < len(getattr(header, key)):
            raise StudyFileError(f"study.{key}: lists a metric twice; leave one out")
    training_table = _table(tables, "training")
    training = parse_training(training_table, "training")
    entries = tables.get("problems", [{}])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise StudyFileError("problems: write each problem as a [[problems]] table")
    if not entries:
        raise StudyFileError("problems: empty; write at least one [[problems]] table")
    problems = tuple(
        _problem(entry, training_table, f"problems[{i}]") for i, entry in enumerate(entries)
    )
    cv = convert(_table(tables, "cv"), CrossValidation, "cv")
    if cv.redraw and not any(spec.imbalance for spec in problems):
        raise StudyFileError(
            "cv.redraw: no problem has an imbalance, so no row is drawn; leave it out"
        )
    search = _search(_table(tables, "search"))
    if header.rare_rows and search.algorithm != "grid":
        raise StudyFileError(
            "study.rare_rows: compares the methods of a grid; leave it out, or let the search "
            "follow a grid ([search.then])"
        )
    then = _following_search(_table(tables, "search"))
    for i, spec in enumerate(problems):
        if not spec.search and then is None:
            raise StudyFileError(
                f"problems[{i}].search: no [search.then] follows the grid; leave it out"
            )
    return Study(
        name=header.name,
        seed=header.seed,
        objectives=header.objectives,
        problems=problems,
        cv=cv,
        model=parse_model(_table(tables, "model"), _table(tables, "features")),
        training=training,
        search=search,
        then=then,
        text=text,
        source=source,
        extra_metrics=header.extra_metrics,
        cv_keys=tuple(_table(tables, "cv")),
        augmentation=parse_augmentation(_table(tables, "augmentation")),
        note=" ".join(header.note.split()),
        keep=header.keep,
        rare_rows=header.rare_rows,
        decision=parse_decision(_table(tables, "decision")),
        report=convert(_table(tables, "report"), ReportKeys, "report"),
        metrics=parse_own_metrics(_table(tables, "metrics")),
        estimators=parse_estimators(search.estimators, _table(tables, "estimators")),
    )


def _table(tables: Mapping[str, Any], key: str, where: str = "") -> dict[str, Any]:
    table = tables.get(key, {})
    if not isinstance(table, dict):
        raise StudyFileError(f"{where}{key}: write it as a table, [{where}{key}]")
    return table


def _problem(entry: dict[str, Any], training_table: dict[str, Any], where: str) -> ProblemSpec:
    training_keys = {key: value for key, value in entry.items() if key in TRAINING_KEYS}
    table_keys = {key: value for key, value in entry.items() if key in TABLE_KEYS}
    split_keys = {key: value for key, value in entry.items() if key in SPLIT_KEYS}
    parsed_apart = training_keys | table_keys | split_keys
    plain_keys = {key: value for key, value in entry.items() if key not in parsed_apart}
    for key in ("training", "table", "split"):
        if key in plain_keys:
            raise StudyFileError(f"{where}.{key}: write {key} keys into the problem itself")
    classes = parse_classes(plain_keys.pop("classes", {}), f"{where}.classes")
    spec = convert(
        plain_keys, ProblemSpec, where, other_keys=(*TRAINING_KEYS, *SPLIT_KEYS, *TABLE_KEYS)
    )
    sources = [key for key in ("dataset", "file", "files", "images", "sql") if getattr(spec, key)]
    if len(sources) > 1:
        raise StudyFileError(f"{where}: give {' or '.join(sources)}, not both")
    check_query(spec.sql, spec.query, where)
    of_table = [key for key in entry if key in (*_COLUMN_KEYS, *SPLIT_KEYS, *TABLE_KEYS)]
    if of_table and not (spec.file or spec.files or spec.sql):
        raise StudyFileError(
            f"{where}: only a file or query has {join_names(of_table)}; name one, or remove them"
        )
    if spec.sql and "test_file" in split_keys:
        raise StudyFileError(
            f"{where}.test_file: goes with file or files; the rows of a query need fold or time"
        )
    if spec.imbalance and not spec.minority:
        raise StudyFileError(f"{where}.minority: name the rare classes that imbalance is about")
    if len(set(spec.imbalance)) < len(spec.imbalance):
        raise StudyFileError(f"{where}.imbalance: lists a ratio twice; leave one out")
    if spec.kind == "binary" and len(spec.minority) > 1:
        raise StudyFileError(
            f"{where}.minority: a binary problem has one rare class against the merged rest; "
            'name one, or set kind = "multi-class"'
        )
    return msgspec.structs.replace(
        spec,
        classes=classes,
        table=parse_table_format(table_keys, where),
        split=parse_given_split(split_keys, where),
        training=parse_training(training_table | training_keys, where),
    )


def _search(table: dict[str, Any]) -> Search:
    space = _table(table, "space", "search.")
    plain_keys = {key: value for key, value in table.items() if key not in ("space", "then")}
    search = convert(plain_keys, Search, "search", other_keys=["space", "then"])
    is_grid = search.algorithm == "grid"
    if is_grid and search.trials is not None:
        raise StudyFileError("search.trials: a grid runs every configuration once; leave it out")
    for key in ("constraints", "prune", "outer"):
        if is_grid and getattr(search, key):
            raise StudyFileError(
                f'search.{key}: needs a search algorithm such as "tpe"; a grid runs every '
                "configuration, so leave it out"
            )
    if not is_grid and search.trials is None:
        raise StudyFileError(f"search.trials: say how many trials {search.algorithm} may run")
    parsed = parse_space(space, grid=is_grid, training_keys=TRAINING_KEYS)
    return msgspec.structs.replace(search, space=parsed)


def _following_search(table: dict[str, Any]) -> Search | None:
    """Parse ``[search.then]``, the search that follows a grid."""
    if "then" not in table:
        return None
    then = _table(table, "then", "search.")
    if table.get("algorithm", "grid") != "grid":
        raise StudyFileError('search.then: follows a grid only; set algorithm = "grid"')
    for key in ("then", "outer", "estimators", "timeout"):
        if key in then:
            raise StudyFileError(f"search.then.{key}: not in a search that follows; leave it out")
    if then.get("algorithm", "grid") == "grid":
        raise StudyFileError('search.then.algorithm: name one of Optuna\'s, such as "tpe"')
    try:
        return _search(then)
    except StudyFileError as error:
        raise StudyFileError(f"search.then{str(error).removeprefix('search')}") from error
