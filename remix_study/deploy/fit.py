"""From a study to a folder with a model: choose, train on all rows, write."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from remix_study.data.dataset import Dataset
from remix_study.deploy.choice import Choice, choose
from remix_study.deploy.model_folder import check_output, write_model
from remix_study.deploy.network_forms import check_export
from remix_study.deploy.refit import Refit, Stop, refit
from remix_study.errors import UsageError
from remix_study.models.custom import add_plugin_folder
from remix_study.results.frames import load_frames
from remix_study.study.database_errors import database_errors
from remix_study.study.default_study import is_table
from remix_study.study.storage import open_reader
from remix_study.study.task_preparation import refuse_unused_data
from remix_study.studyfile.parsing import named_study, parse_study
from remix_study.studyfile.schema import DEFAULT_STORAGE, Study
from remix_study.training.backend import hidden_stderr, load_networks


@dataclass(frozen=True)
class Request:
    """What to fit: the options of the command.

    Attributes:
        problem: The problem's name; None where the study has one.
        method: Label of a method; None for the decision's.
        trial: Number of a trial, in place of a method.
        stop: How training ends where it stops early.
        output: The folder to write.
        storage: URL of the database.
        export: A further form of a network, ``savedmodel`` or ``onnx``; None for none.
        allow_plugins: Whether code of the user's own may be imported.
        command: The command line or call, for the manifest.
    """

    problem: str | None = None
    method: str | None = None
    trial: int | None = None
    stop: Stop = "validation"
    output: Path = Path("model")
    storage: str = DEFAULT_STORAGE
    export: str | None = None
    allow_plugins: bool = True
    command: str = ""


def fit_study(
    study: str | Path | Study, request: Request, data: Dataset | None = None
) -> tuple[Choice, Refit]:
    """Train what a study's decision names, or what a request does, and write its folder.

    Args:
        study: A study file, the name of a study in the database, or a study.
        request: What to fit.
        data: Data handed over in Python, for a problem that names none.

    Raises:
        StudyFileError: The study file, or a change in it since the study began.
        DataError: The data.
        StorageError: The database.
        UsageError: A problem, method or folder that cannot be used, or a failed training.
    """
    if request.method is not None and request.trial is not None:
        raise UsageError("give a method or a trial, not both")
    check_output(request.output)
    parsed = study if isinstance(study, Study) else _study_file(str(study))
    name = str(study) if parsed is None else parsed.name
    with database_errors(request.storage):
        engine = open_reader(request.storage)
        try:
            frames = load_frames(engine, [name])
            choice = choose(frames, request.problem, request.method, request.trial)
        finally:
            engine.dispose()
    if parsed is None:
        source = f"{name}.toml, kept in the database (its data are looked for in this folder)"
        parsed = parse_study(choice.manifest["file"]["text"], source)
    if request.allow_plugins:
        add_plugin_folder(parsed)
    else:
        parsed = parsed.without_plugins()
    if data is not None:
        refuse_unused_data(parsed)
    with hidden_stderr():
        load_networks()
    if request.export:
        method = choice.form.method
        check_export(request.export, method.label, is_network=not method.is_estimator)
    trained = refit(parsed, choice, data=data, stop=request.stop)
    folder, export = request.output, request.export
    write_model(trained, choice, folder, command=request.command, export=export)
    return choice, trained


def _study_file(word: str) -> Study | None:
    """The study file that a word names; None for the name of a study in the database."""
    if is_table(word):
        raise UsageError(f"{word} is a table; name its study file or study, as {Path(word).stem}")
    return named_study(word)
