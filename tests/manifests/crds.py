"""Schemas of the custom resources: made strict, and small enough to stand in this repository.

A CRD's schema lets unknown fields pass (the API server prunes them), so a typo would render, validate and do nothing.
`strict` forbids them. `small` leaves out what no manifest of ours can use, and says once what stands there many times.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeAlias, cast

Json: TypeAlias = "dict[str, Json] | list[Json] | str | float | bool | None"
Schema: TypeAlias = dict[str, Json]

_WORTH_SHARING = 200
"""Characters from which on a part that is repeated is said once."""


def of_crd(crd: Schema) -> Schema:
    """Return the strict schema of the version that a CRD stores, without its status."""
    versions = cast("list[Schema]", cast("Schema", crd["spec"])["versions"])
    (version,) = [each for each in versions if each["storage"]]
    made = cast("Schema", strict(cast("Schema", version["schema"])["openAPIV3Schema"]))
    fields = cast("Schema", made["properties"])
    fields.pop("status", None)
    fields["metadata"] = {"type": "object"}  # the API server's own to check
    return made


def strict(schema: Json) -> Json:
    """Return a schema that refuses fields it does not name, and that a JSON schema validator understands."""
    if not isinstance(schema, dict):
        return _in_parts(schema, strict)
    made = {key: strict(part) for key, part in schema.items() if key != "description" or not isinstance(part, str)}
    if made.pop("x-kubernetes-int-or-string", False):
        made = {key: part for key, part in made.items() if key not in {"anyOf", "pattern"}}
        made["type"] = ["integer", "string"]
    keeps_unknown = made.pop("x-kubernetes-preserve-unknown-fields", False)
    # a map of fields may have one called `properties`; only a schema has a type in words
    if "properties" in made and isinstance(made.get("type"), str) and not keeps_unknown:
        made["additionalProperties"] = False
    return made


def small(schema: Schema, unused: Iterable[str]) -> Schema:
    """Return the same schema without some fields (by name, anywhere), repeated parts under `definitions`."""
    pruned = _without(schema, set(unused))
    counts: Counter[str] = Counter()
    _count(pruned, counts)
    repeated = sorted(text for text, count in counts.items() if count > 1)
    names = {text: f"part{number}" for number, text in enumerate(repeated)}
    return {
        **_referring(pruned, names),
        "definitions": {name: _referring(json.loads(text), names) for text, name in names.items()},
    }


def _in_parts(schema: Json, change: Callable[[Json], Json]) -> Json:
    if isinstance(schema, dict):
        return {key: change(part) for key, part in schema.items()}
    return [change(part) for part in schema] if isinstance(schema, list) else schema


def _without(schema: Json, unused: set[str]) -> Json:
    if isinstance(schema, dict) and isinstance(fields := schema.get("properties"), dict):
        schema = {**schema, "properties": {name: part for name, part in fields.items() if name not in unused}}
    return _in_parts(schema, lambda part: _without(part, unused))


def _count(schema: Json, counts: Counter[str]) -> None:
    if text := _sharable(schema):
        counts[text] += 1
    for part in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        _count(part, counts)


def _sharable(schema: Json) -> str:
    """Return a schema as text, empty if it is none or too short to be worth a name."""
    if not isinstance(schema, dict) or not isinstance(schema.get("type"), str | list):
        return ""
    text = json.dumps(schema, sort_keys=True)
    return text if len(text) >= _WORTH_SHARING else ""


def _referring(schema: Json, names: dict[str, str]) -> Schema:
    """Return a schema whose parts are names where they have one."""

    def part(inner: Json) -> Json:
        name = names.get(_sharable(inner))
        return {"$ref": f"#/definitions/{name}"} if name else _in_parts(inner, part)

    return cast("Schema", _in_parts(schema, part))
