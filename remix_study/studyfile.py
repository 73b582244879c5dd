"""The study file: TOML in, frozen objects out, every mistake named with its key."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from remix_study.config import (
    PRESETS,
    CrossValidation,
    Model,
    Name,
    Positive,
    ProblemSpec,
    Search,
    Study,
    Training,
)
from remix_study.errors import StudyFileError
from remix_study.space import parse_space

T = TypeVar("T")


class _Head(Struct, frozen=True, forbid_unknown_fields=True):
    name: Name
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 2020
    objectives: Annotated[tuple[str, ...], Meta(min_length=1)] = ("g_mean", "bbs")


_TRAINING_KEYS = set(Training.__struct_fields__)


def load_study(path: str | Path) -> Study:
    """Read a study file.

    Raises:
        StudyFileError: It is missing, not TOML, or has a key or value that cannot be; the
            message names the file and the key and says what is allowed.
    """
    path = Path(path)
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError as error:
        raise StudyFileError(f"{path}: there is no such study file") from error
    except IsADirectoryError as error:
        raise StudyFileError(f"{path}: a folder; name the study file in it") from error
    except (OSError, UnicodeDecodeError) as error:
        raise StudyFileError(f"{path}: cannot be read as UTF-8 text ({error})") from error
    return parse_study(text, str(path))


def parse_study(text: str, source: str = "study") -> Study:
    """Parse the text of a study file; ``source`` names it in messages."""
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise StudyFileError(f"{source}: not valid TOML: {error}") from error
    try:
        return _study(tables, text, source)
    except StudyFileError as error:
        raise StudyFileError(f"{source}: {error}") from error


def _study(tables: dict[str, Any], text: str, source: str) -> Study:
    sections = ("study", "problems", "cv", "model", "training", "search")
    for key in tables:
        if key not in sections:
            raise StudyFileError(f"{key}: unknown key{_suggest(key, sections)}")
    head = _convert(_table(tables, "study"), _Head, "study")
    if len(set(head.objectives)) < len(head.objectives):
        raise StudyFileError("study.objectives: a metric stands twice")
    common = _table(tables, "training")
    entries = tables.get("problems", [{}])
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        raise StudyFileError("problems: write each problem as a [[problems]] table")
    problems = tuple(_problem(entry, common, f"problems[{i}]") for i, entry in enumerate(entries))
    return Study(
        name=head.name,
        seed=head.seed,
        objectives=head.objectives,
        problems=problems,
        cv=_convert(_table(tables, "cv"), CrossValidation, "cv"),
        model=_model(_table(tables, "model")),
        training=_training(common, "training"),
        search=_search(_table(tables, "search")),
        text=text,
        source=source,
    )


def _table(tables: Mapping[str, Any], key: str) -> dict[str, Any]:
    table = tables.get(key, {})
    if not isinstance(table, dict):
        raise StudyFileError(f"{key}: write it as a table, [{key}]")
    return table


def _problem(entry: dict[str, Any], common: dict[str, Any], where: str) -> ProblemSpec:
    own = {key: value for key, value in entry.items() if key in _TRAINING_KEYS}
    rest = {key: value for key, value in entry.items() if key not in own}
    if "training" in rest:
        raise StudyFileError(f"{where}.training: write training keys into the problem itself")
    spec = _convert(rest, ProblemSpec, where)
    if spec.dataset is not None and spec.file is not None:
        raise StudyFileError(f"{where}: give dataset or file, not both")
    if spec.file is not None and spec.label is None:
        raise StudyFileError(f"{where}.label: name the column of {spec.file} that holds the class")
    if spec.file is None and (spec.label or spec.groups or spec.drop):
        raise StudyFileError(f"{where}: label, groups and drop belong to a file")
    if spec.imbalance and not spec.minority:
        raise StudyFileError(f"{where}.minority: name the rare classes that imbalance is about")
    if len(set(spec.imbalance)) < len(spec.imbalance):
        raise StudyFileError(f"{where}.imbalance: a ratio stands twice")
    if spec.minority and spec.kind is None:
        raise StudyFileError(f'{where}.kind: say "binary" or "multi-class"')
    if spec.kind == "binary" and len(spec.minority) > 1:
        raise StudyFileError(
            f"{where}.minority: a binary problem has one rare class against the merged rest"
        )
    _training(common, "training")
    training = _training(common | own, where)
    return msgspec.structs.replace(spec, training=training)


def _training(table: dict[str, Any], where: str) -> Training:
    preset = table.get("preset", "quick")
    # An unknown preset is left for the type check to name.
    defaults = PRESETS.get(preset, {}) if isinstance(preset, str) else {}
    training = _convert(defaults | table, Training, where)
    if training.schedule == "plateau" and training.lowest_rate > training.learning_rate:
        raise StudyFileError(f"{where}.lowest_rate: above learning_rate")
    if training.stop == "early" and training.start_from_epoch >= training.epochs:
        raise StudyFileError(
            f"{where}.start_from_epoch: {training.start_from_epoch} leaves none of "
            f"{training.epochs} epochs to choose from; lower it or raise epochs"
        )
    if training.stop == "lowest-rate" and training.schedule != "plateau":
        raise StudyFileError(f'{where}.stop: "lowest-rate" needs schedule = "plateau"')
    return training


def _model(table: dict[str, Any]) -> Model:
    name = table.get("name", "mlp")
    options = {key: value for key, value in table.items() if key != "name"}
    model = _convert({"name": name, "options": options}, Model, "model")
    check_model(model)
    return model


class _Mlp(Struct, frozen=True, forbid_unknown_fields=True):
    hidden: Annotated[tuple[Positive, ...], Meta(min_length=1)] | None = None
    dropout: Annotated[float, Meta(ge=0, lt=1)] = 0.1


def check_model(model: Model) -> None:
    """Check a model's name and the options of the built-in one.

    Raises:
        StudyFileError: An unknown name, option or value.
    """
    if model.name == "mlp":
        _convert(model.options, _Mlp, "model")
    elif ":" not in model.name:
        raise StudyFileError(
            f'model.name: "{model.name}" is unknown; write "mlp" or "package.module:function"'
        )


def override(training: Training, values: Mapping[str, Any]) -> Training:
    """Training with some keys set by a point of the search, checked as the file's own are."""
    return _convert(msgspec.structs.asdict(training) | dict(values), Training, "search.space")


def _search(table: dict[str, Any]) -> Search:
    space = _table(table, "space")
    rest = {key: value for key, value in table.items() if key != "space"}
    search = _convert(rest, Search, "search")
    if search.algorithm == "grid" and search.trials is not None:
        raise StudyFileError("search.trials: a grid runs every point once; leave it out")
    if search.algorithm != "grid" and search.trials is None:
        raise StudyFileError(f"search.trials: say how many trials {search.algorithm} may run")
    parsed = parse_space(space, grid=search.algorithm == "grid", training_keys=_TRAINING_KEYS)
    return msgspec.structs.replace(search, space=parsed)


def _convert(table: Any, kind: type[T], where: str) -> T:
    """Check a table against a type, and turn msgspec's complaint into one about the file."""
    try:
        return msgspec.convert(table, kind)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$")
        path = path.rstrip("`").removesuffix("[...]")
        unknown = re.fullmatch(r"Object contains unknown field `(.*)`", message)
        if unknown:
            fields = getattr(kind, "__struct_fields__", ())
            key = unknown[1]
            raise StudyFileError(
                f"{where}{path}.{key}: unknown key{_suggest(key, fields)}"
            ) from error
        missing = re.fullmatch(r"Object missing required field `(.*)`", message)
        if missing:
            raise StudyFileError(f"{where}{path}.{missing[1]}: missing") from error
        text = message.replace("`", "")
        text = text[:1].lower() + text[1:]
        raise StudyFileError(f"{where}{path}: {text}{_found(table, path)}") from error


def _found(table: Any, path: str) -> str:
    """The value at fault, where it is short enough to show."""
    value = table
    for key in re.findall(r"\.(\w+)", path):
        if not isinstance(value, Mapping) or key not in value:
            return ""
        value = value[key]
    text = repr(value)
    return f" (found {text})" if len(text) <= 60 else ""


def _suggest(key: str, known: Any) -> str:
    close = difflib.get_close_matches(key, list(known), 1)
    if close:
        return f'; did you mean "{close[0]}"?'
    return f"; known here: {', '.join(known)}" if known else ""
