"""The JSON schema of study files: as it is shipped, and of one mind with the parser."""

from __future__ import annotations

import json
import tomllib

import jsonschema
import pytest

from remix_study.errors import StudyFileError
from remix_study.studyfile.json_schema import study_file_schema
from remix_study.studyfile.parsing import built_in_studies, parse_study

SCHEMA = json.loads(json.dumps(study_file_schema()))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
BASE = '[study]\nname = "a"\n'


def test_the_shipped_file_is_the_schema_and_every_study_names_it():
    files = built_in_studies().values()
    folder = next(iter(files)).parent
    shipped = json.loads((folder / "study.schema.json").read_text(encoding="utf-8"))
    assert shipped == SCHEMA, (
        "write it anew: python -m remix_study schema > studies/study.schema.json"
    )
    for path in files:
        assert path.read_text(encoding="utf-8").startswith("#:schema ./study.schema.json\n"), path


def test_the_schema_is_one_and_takes_the_built_in_studies():
    VALIDATOR.check_schema(SCHEMA)
    for name, path in built_in_studies().items():
        VALIDATOR.validate(tomllib.loads(path.read_text(encoding="utf-8"))), name


@pytest.mark.parametrize(
    "text",
    [
        'rare_rows = true\n[training]\npreset = "paper"\nstack = "auto"',
        '[[problems]]\nfile = "a.csv"\nlabel = -1\nclasses.merge.yes = ["Y"]\n'
        "epochs = 3\nheader = false",
        '[model]\nname = "m:f"\nmine = 3\n[metrics.own]\n'
        'function = "m:f"\ndirection = "minimize"\nworst = 1',
        '[search]\nestimators = ["x"]\n[estimators.x]\nclass = "a.B"',
        '[search.space]\nalpha = [0.1]\nmodel.hidden = [[8], [4, 4]]\nepochs = [3, 4]',
        '[search]\nalgorithm = "tpe"\ntrials = 3\n[search.space]\nalpha = {low = 0.1, high = 1}\n'
        'sampler = ["natural"]\nmixing = ["beta"]\n'
        'learning_rate = {low = 1e-4, high = 1e-2, log = true}',
        '[search.then]\nalgorithm = "tpe"\ntrials = 3\n[search.then.space]\nalpha.remix = [0.1]',
    ],
)  # fmt: skip
def test_what_the_parser_takes_the_schema_takes(text):
    parse_study(BASE + text)
    VALIDATOR.validate(tomllib.loads(BASE + text))


@pytest.mark.parametrize(
    "text",
    [
        "epochs = 3",
        "[training]\nepochs = 0",
        '[training]\nstop = "soon"',
        "[trainig]",
        "[[problems]]\nimbalance = [2]",
        '[problems]\ndataset = "wine"',
        "[metrics.own]\nworst = 1",
        "[search.space]\nalphas = [1]",
        "[search.space]\nstack = [1]",
        "[search.then]\nouter = 3",
    ],
)
def test_what_the_schema_refuses_the_parser_refuses(text):
    assert not VALIDATOR.is_valid(tomllib.loads(BASE + text))
    with pytest.raises(StudyFileError):
        parse_study(BASE + text)


def test_keys_have_their_meaning():
    properties = SCHEMA["properties"]
    assert properties["cv"]["properties"]["folds"]["description"] == "Number of folds k."
    space = properties["search"]["properties"]["space"]["properties"]
    assert space["ratio"]["description"].startswith("Shares of a batch")
    assert not VALIDATOR.is_valid({"study": {"name": "/a"}})
