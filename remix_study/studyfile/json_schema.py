"""The JSON schema of a study file, by which editors complete keys and mark mistakes.

It is made from the same structs as ``docs/keys.md``. Rules between keys are left to the parser.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Struct

from remix_study.studyfile.key_table import SEARCH_SPACE, SECTIONS, attribute_docs, plain_fields
from remix_study.studyfile.search_space import NOT_SEARCHABLE
from remix_study.studyfile.training_keys import TRAINING_KEYS

# Tables whose other keys are options of a function of the user's own.
_OPEN_TABLES = ("model", "augmentation")
_KEYS_OF_THEN = ("algorithm", "trials", "constraints", "prune", "space")

_DOMAIN: dict[str, Any] = {
    "anyOf": [
        {"type": "array", "minItems": 1},
        {
            "type": "object",
            "properties": {
                "low": {"type": "number"},
                "high": {"type": "number"},
                "log": {"type": "boolean"},
            },
            "required": ["low", "high"],
            "additionalProperties": False,
        },
    ]
}
_NAMES = {"type": "array", "items": {"type": "string"}, "minItems": 1}


def study_file_schema() -> dict[str, Any]:
    """The schema (JSON Schema 2020-12) of a study file."""
    structs: dict[str, list[type[Struct]]] = defaultdict(list)
    for title, _, kinds in SECTIONS:
        # [model] with name = "mlp" and with name = "cnn" are one table.
        structs[title.strip("[").partition("]")[0]] += kinds
    tables = {name: _table(kinds, is_open=name in _OPEN_TABLES) for name, kinds in structs.items()}
    problem, search = tables["problems"], tables["search"]
    problem["properties"] |= {
        key: {name: value for name, value in schema.items() if name != "default"}
        for key, schema in tables["training"]["properties"].items()
    } | {"classes": tables.pop("problems.classes")}
    tables["problems"] = {"type": "array", "items": problem, "minItems": 1}
    for name in ("metrics", "estimators"):
        tables[name] = _object({}, extra=tables.pop(f"{name}.NAME"))
    search["properties"]["space"] = _space()
    search["properties"]["then"] = _object({k: search["properties"][k] for k in _KEYS_OF_THEN})
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Study file of remix_study",
        **_object(tables),
        "required": ["study"],
    }


def _object(properties: dict[str, Any], extra: Any = False) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": extra}


def _table(structs: Iterable[type[Struct]], *, is_open: bool) -> dict[str, Any]:
    properties: dict[str, Any] = {}
    required: list[str] = []
    for struct in structs:
        _, components = msgspec.json.schema_components([struct])
        schemas, meanings = components[struct.__name__]["properties"], attribute_docs(struct)
        for field in plain_fields(struct):
            schema = _in_toml(schemas[field.encode_name])
            properties.setdefault(
                field.encode_name, {"description": meanings[field.name], **schema}
            )
            required += [field.encode_name] if field.required else []
    return _object(properties, extra=is_open) | ({"required": required} if required else {})


def _in_toml(schema: dict[str, Any]) -> dict[str, Any]:
    """A value's schema without null, which TOML does not have, and in JavaScript's patterns."""
    options: list[dict[str, Any]] = [
        option for option in schema.get("anyOf", ()) if option != {"type": "null"}
    ]
    keywords = {key: value for key, value in schema.items() if key not in ("anyOf", "pattern")}
    if keywords.get("default", "") is None:
        del keywords["default"]
    if "pattern" in schema:
        keywords["pattern"] = schema["pattern"].replace(r"\A", "^").replace(r"\Z", "$")
    if len(options) == 1:
        return options[0] | keywords
    return keywords | ({"anyOf": options} if options else {})


def _space() -> dict[str, Any]:
    """The schema of ``[search.space]``."""
    by_name = _object({}, extra=_DOMAIN)
    searchable = [key for key in TRAINING_KEYS if key not in NOT_SEARCHABLE]
    properties: dict[str, Any] = {
        **dict.fromkeys(("strategy", "sampler", "mixing", "loss"), _NAMES),
        "alpha": {"anyOf": [*_DOMAIN["anyOf"], by_name]},
        **dict.fromkeys(("ratio", *searchable), _DOMAIN),
        **dict.fromkeys(("model", "features"), by_name),
    }
    for cell, meaning in re.findall(r"^\| (`.+?) \| (.+) \|$", SEARCH_SPACE, re.MULTILINE):
        for key in re.findall(r"`(\w+)`", cell):
            properties[key] = {"description": meaning} | properties[key]
    dotted = {r"^(alpha|model|features)\.": _DOMAIN}
    return _object(properties) | {"patternProperties": dotted}
