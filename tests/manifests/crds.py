"""Schemas of the custom resources: made strict, and small enough to stand in this repository.

A CRD's schema lets unknown fields pass (the API server prunes them), so a typo would render, validate and do nothing.
`strict` forbids them. `small` leaves out what no manifest of ours can use, and says once what stands there many times.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from typing import Any

Schema = dict[str, Any]

_KEEPS_UNKNOWN = "x-kubernetes-preserve-unknown-fields"
_NAMES = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"}}
_WORTH_SHARING = 200
"""Characters from which on a part that is repeated is said once."""


def strict(schema: Any) -> Any:
    """Return a schema of a CRD that refuses fields it does not name, and validates as JSON schema."""
    if isinstance(schema, list):
        return [strict(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: strict(part) for key, part in schema.items() if not _is_documentation(key, part)}
    if made.pop("x-kubernetes-int-or-string", False):
        made.pop("anyOf", None)
        made.pop("pattern", None)  # of the string form only; the API server's check of quantities
        made["type"] = ["integer", "string"]
    keeps_unknown = made.pop(_KEEPS_UNKNOWN, False)
    if "properties" in made and isinstance(made.get("type"), str) and not keeps_unknown:
        made["additionalProperties"] = False
    return made


def small(schema: Schema, unused: Iterable[str]) -> Schema:
    """Return the same schema without some fields (by name, anywhere), repeated parts under `definitions`."""
    pruned = _without(schema, set(unused))
    counts: Counter[str] = Counter()
    _count(pruned, counts)
    shared = {text: f"part{number}" for number, text in enumerate(sorted(t for t, n in counts.items() if n > 1))}
    whole: Schema = _share(pruned, shared, top=True)
    whole["definitions"] = {name: _share(json.loads(text), shared, top=True) for text, name in shared.items()}
    return whole


def of_crd(crd: Schema) -> Schema:
    """Return the strict schema of a CRD's first version."""
    (version,) = crd["spec"]["versions"]
    made: Schema = strict(version["schema"]["openAPIV3Schema"])
    made["properties"].update(_NAMES)  # metadata is the API server's own to check
    made["properties"].pop("status", None)
    return made


def _is_documentation(key: str, part: object) -> bool:
    return key == "description" and isinstance(part, str)


def _without(schema: Any, unused: set[str]) -> Any:
    if isinstance(schema, list):
        return [_without(part, unused) for part in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: {name: _without(field, unused) for name, field in part.items() if name not in unused}
        if key == "properties"
        else _without(part, unused)
        for key, part in schema.items()
    }


def _text(schema: object) -> str:
    return json.dumps(schema, sort_keys=True)


def _count(schema: Any, counts: Counter[str]) -> None:
    for part in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        _count(part, counts)
    if isinstance(schema, dict) and isinstance(schema.get("type"), str | list) and len(text := _text(schema)) >= _WORTH_SHARING:
        counts[text] += 1


def _share(schema: Any, shared: dict[str, str], *, top: bool = False) -> Any:
    if isinstance(schema, list):
        return [_share(part, shared) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if not top and (name := shared.get(_text(schema))):
        return {"$ref": f"#/definitions/{name}"}
    return {key: _share(part, shared) for key, part in schema.items()}
