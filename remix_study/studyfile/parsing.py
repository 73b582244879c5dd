"""The study file: TOML in, frozen objects out, every mistake named with its key."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct, inspect

from remix_study.errors import StudyFileError, did_you_mean
from remix_study.studyfile.schema import (
    DROPOUT,
    PRESETS,
    Augmentation,
    CrossValidation,
    Model,
    Name,
    ProblemSpec,
    Search,
    Study,
    Training,
)
from remix_study.studyfile.search_space import parse_space
from remix_study.studyfile.validation import convert, shown_key

_SECTIONS = ("study", "problems", "cv", "model", "augmentation", "training", "search")

_KINDS = {inspect.IntType: "integer", inspect.FloatType: "number"}
_TRAINING_KEYS = {
    field.name: _KINDS.get(type(field.type), "name")
    for field in inspect.type_info(Training).fields  # type: ignore[attr-defined]
}
"""What each key of ``[training]`` holds: an integer, a number or a name."""

Width = Annotated[int, Meta(ge=1, le=100_000)]


class _Head(Struct, frozen=True, forbid_unknown_fields=True):
    name: Name
    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] = 2020
    objectives: Annotated[tuple[str, ...], Meta(min_length=1)] = ("g_mean", "bbs")
    extra_metrics: tuple[str, ...] = ()
    note: Annotated[str, Meta(max_length=500)] = ""


class _Mlp(Struct, frozen=True, forbid_unknown_fields=True):
    hidden: Annotated[tuple[Width, ...], Meta(min_length=1)] | None = None
    dropout: Annotated[float, Meta(ge=0, lt=1)] = DROPOUT


class _Cnn(Struct, frozen=True, forbid_unknown_fields=True):
    filters: Annotated[tuple[Width, ...], Meta(min_length=1)] | None = None
    dense: Width = 64
    padding: Literal["valid", "same"] | None = None


class _RotateShift(Struct, frozen=True, forbid_unknown_fields=True):
    rotation: Annotated[float, Meta(ge=0, le=180)] = 20
    shift: Annotated[float, Meta(ge=0, le=1)] = 0.2
    fill: Literal["nearest", "constant", "reflect", "wrap"] = "nearest"


def load_study(path: str | Path) -> Study:
    """Read a study file.

    Raises:
        StudyFileError: It is missing, not TOML, or has a key or value that cannot be; the
            message names the file and the key and says what is allowed.
    """
    path = Path(path)
    try:
        # Some editors put a byte order mark first, which TOML does not know.
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError as error:
        raise StudyFileError(f"{path}: there is no such study file") from error
    except IsADirectoryError as error:
        raise StudyFileError(f"{path}: a folder; name the study file in it") from error
    except UnicodeDecodeError as error:
        raise StudyFileError(f"{path}: not a text file in UTF-8 ({error.reason})") from error
    except (OSError, ValueError) as error:
        raise StudyFileError(f"{path}: cannot be read ({error})") from error
    return parse_study(text, str(path))


def parse_study(text: str, source: str = "study") -> Study:
    """Parse the text of a study file; ``source`` names it in messages.

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
            raise StudyFileError(f"{shown_key(key)}: unknown key{did_you_mean(key, _SECTIONS)}")
    head = convert(_table(tables, "study"), _Head, "study")
    for key in ("objectives", "extra_metrics"):
        if len(set(getattr(head, key))) < len(getattr(head, key)):
            raise StudyFileError(f"study.{key}: a metric stands twice")
    common = _table(tables, "training")
    training = _training(common, "training")
    entries = tables.get("problems", [{}])
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        raise StudyFileError("problems: write each problem as a [[problems]] table")
    if not entries:
        raise StudyFileError("problems: empty; write at least one [[problems]] table")
    problems = tuple(_problem(e, common, f"problems[{i}]") for i, e in enumerate(entries))
    cv = convert(_table(tables, "cv"), CrossValidation, "cv")
    if cv.redraw and not any(spec.imbalance for spec in problems):
        raise StudyFileError(
            "cv.redraw: no problem has an imbalance, so no row is drawn; leave it out"
        )
    return Study(
        name=head.name,
        seed=head.seed,
        objectives=head.objectives,
        problems=problems,
        cv=cv,
        model=_model(_table(tables, "model")),
        training=training,
        search=_search(_table(tables, "search")),
        text=text,
        source=source,
        extra_metrics=head.extra_metrics,
        augmentation=_augmentation(_table(tables, "augmentation")),
        note=" ".join(head.note.split()),
    )


def _table(tables: Mapping[str, Any], key: str, where: str = "") -> dict[str, Any]:
    table = tables.get(key, {})
    if not isinstance(table, dict):
        raise StudyFileError(f"{where}{key}: write it as a table, [{where}{key}]")
    return table


def _problem(entry: dict[str, Any], common: dict[str, Any], where: str) -> ProblemSpec:
    own = {key: value for key, value in entry.items() if key in _TRAINING_KEYS}
    rest = {key: value for key, value in entry.items() if key not in own}
    if "training" in rest:
        raise StudyFileError(f"{where}.training: write training keys into the problem itself")
    spec = convert(rest, ProblemSpec, where, beside=_TRAINING_KEYS)
    given = [key for key in ("dataset", "file", "images") if getattr(spec, key) is not None]
    if len(given) > 1:
        raise StudyFileError(f"{where}: give {' or '.join(given)}, not both")
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
    return msgspec.structs.replace(spec, training=_training(common | own, where))


def _training(table: dict[str, Any], where: str) -> Training:
    preset = table.get("preset", "quick")
    # An unknown preset is left for the type check to name.
    defaults = PRESETS.get(preset, {}) if isinstance(preset, str) else {}
    return _consistent(convert(defaults | table, Training, where), where)


TIED = ("epochs", "start_from_epoch", "stop", "schedule", "learning_rate", "lowest_rate")
"""Training keys that only make sense together."""


def _consistent(training: Training, where: str) -> Training:
    """Refuse training keys that contradict each other."""
    if training.schedule == "plateau" and training.lowest_rate > training.learning_rate:
        raise StudyFileError(
            f"{where}.lowest_rate: {training.lowest_rate:g} is above the learning_rate "
            f"{training.learning_rate:g}"
        )
    if training.stop == "early" and training.start_from_epoch >= training.epochs:
        raise StudyFileError(
            f"{where}.start_from_epoch: {training.start_from_epoch} leaves none of "
            f"{training.epochs} epochs to choose from; lower it, raise epochs, or set "
            'stop = "never"'
        )
    if training.stop == "lowest-rate" and training.schedule != "plateau":
        raise StudyFileError(f'{where}.stop: "lowest-rate" needs schedule = "plateau"')
    return training


def override(training: Training, values: Mapping[str, Any]) -> Training:
    """Training with some keys set by a point of the search, checked as the file's own are.

    Raises:
        StudyFileError: A value that the study file could not hold either.
    """
    table = msgspec.structs.asdict(training) | dict(values)
    return _consistent(convert(table, Training, "search.space"), "search.space")


def _model(table: dict[str, Any]) -> Model:
    options = {key: value for key, value in table.items() if key != "name"}
    model = convert({"name": table.get("name", "mlp"), "options": options}, Model, "model")
    check_model(model)
    return model


def check_model(model: Model) -> None:
    """Check a model's name and the options of the built-in one.

    Raises:
        StudyFileError: An unknown name, option or value.
    """
    if model.name in ("mlp", "cnn"):
        kind: Any = _Mlp if model.name == "mlp" else _Cnn
        convert(model.options, kind, "model", beside=["name"])
        return
    if ":" not in model.name and not entry_points(group="remix_study.models", name=model.name):
        raise StudyFileError(
            f'model.name: "{model.name}" is unknown; write "mlp", "cnn" or '
            '"package.module:function"'
        )
    _check_kept(model.options, "model")


def _check_kept(options: Mapping[str, Any], where: str) -> None:
    for key, value in options.items():
        try:
            msgspec.json.encode(value)
        except (TypeError, ValueError, OverflowError, RecursionError) as error:
            raise StudyFileError(f"{where}.{key}: cannot be kept in a database") from error


def _augmentation(table: dict[str, Any]) -> Augmentation:
    options = {key: value for key, value in table.items() if key != "name"}
    name = table.get("name", Augmentation().name)
    found = convert({"name": name, "options": options}, Augmentation, "augmentation")
    if found.name == Augmentation().name:
        convert(found.options, _RotateShift, "augmentation", beside=["name"])
    elif ":" not in found.name:
        raise StudyFileError(
            f'augmentation.name: "{found.name}" is unknown; write "{Augmentation().name}" or '
            '"package.module:function"'
        )
    else:
        _check_kept(found.options, "augmentation")
    return found


def _search(table: dict[str, Any]) -> Search:
    space = _table(table, "space", "search.")
    rest = {key: value for key, value in table.items() if key != "space"}
    search = convert(rest, Search, "search", beside=["space"])
    grid = search.algorithm == "grid"
    if grid and search.trials is not None:
        raise StudyFileError("search.trials: a grid runs every point once; leave it out")
    for key in ("constraints", "prune", "outer"):
        if grid and getattr(search, key):
            raise StudyFileError(
                f"search.{key}: belongs to a search; a grid runs every point, and its report "
                "tells what each fold would have chosen"
            )
    if not grid and search.trials is None:
        raise StudyFileError(f"search.trials: say how many trials {search.algorithm} may run")
    parsed = parse_space(space, grid=grid, training_keys=_TRAINING_KEYS)
    return msgspec.structs.replace(search, space=parsed)
