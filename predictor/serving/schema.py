"""The shape of V1 bodies and V2 options: every field, its type and its bounds. Unknown fields are refused by name."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticKnownError

from predictor import options
from predictor.errors import InvalidField
from predictor.options import EnhanceOptions, OutputFormat, OutputOptions, Pair, RestoreOptions, SwapOptions


def _only_whole(value: object) -> object:
    # To Python True is 1 and 2.0 is 2, and so they are to a Literal.
    if type(value) is not int:
        raise PydanticKnownError("literal_error", {"expected": "1, 2 or 4"})
    return value


Upscale = Annotated[options.Upscale, BeforeValidator(_only_whole)]
FaceId = Annotated[int, Field(ge=1, description="1-based, left to right")]
Base64 = Annotated[str, Field(description="A picture as base64; a data: prefix and white space are allowed")]
Name = Annotated[str, Field(min_length=1, max_length=128)]
_T = TypeVar("_T", bound="Strict")
_Path: TypeAlias = tuple[str | int, ...]


class Strict(BaseModel):
    """A shape that takes no field it does not know and converts no type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class NamedImage(Strict):
    """A picture with a name, which is an echo only, never a path."""

    name: Name
    image: Base64 = Field(repr=False)


class Restore(Strict):
    """Which restorer, and how strongly."""

    model: str | None = None
    blend: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 1.0


class Output(Strict):
    """How the answer's pictures are encoded."""

    format: OutputFormat = "same"
    quality: Annotated[int, Field(ge=1, le=100)] = 95

    def options(self) -> OutputOptions:
        """Return what the pipeline's side calls it."""
        return OutputOptions(self.format, self.quality)


class PairOfFaces(Strict):
    """One source face onto one destination face, or onto all."""

    source: Name | None = None
    source_face_id: FaceId = 1
    destination_face_id: FaceId | Literal["all"] = 1


class SwapFields(Strict):
    """The fields of a swap that are no pictures."""

    source_face_id: FaceId = 1
    destination_face_id: FaceId | Literal["all"] = 1
    pairs: Annotated[list[PairOfFaces], Field(min_length=1)] | None = None
    restore: bool | Restore = False
    upscale: Upscale = 1
    output: Output = Output()
    report: bool = False

    @model_validator(mode="after")
    def _pairs_or_ids(self) -> SwapFields:
        for name in ("source_face_id", "destination_face_id"):
            if self.pairs is not None and name in self.model_fields_set:
                raise _at(name, "not together with pairs")
        return self

    def swap_options(self) -> SwapOptions:
        """Return what the pipeline is asked."""
        pairs = self.pairs or [
            PairOfFaces(source_face_id=self.source_face_id, destination_face_id=self.destination_face_id)
        ]
        return SwapOptions(
            tuple(Pair(pair.source, pair.source_face_id, pair.destination_face_id) for pair in pairs),
            _restore_options(self.restore),
            self.upscale,
            self.report,
        )


class SwapBody(SwapFields):
    """A V1 swap."""

    image: Base64 | None = Field(None, repr=False)
    sources: Annotated[list[NamedImage], Field(min_length=1)] | None = None
    destinations: Annotated[list[Name | NamedImage], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _one_kind_of_source(self) -> SwapBody:
        if self.sources is None:
            if self.image is None:
                raise _at("image", "required")
            for index, pair in enumerate(self.pairs or []):
                if pair.source is not None:
                    raise _at(f"pairs[{index}].source", "only together with sources")
            return self
        if self.image is not None:
            raise _at("sources", "not together with image")
        names = [source.name for source in self.sources]
        _require_unique("sources", names)
        for index, pair in enumerate(self.pairs or []):
            if pair.source is not None and pair.source not in names:
                raise _at(f"pairs[{index}].source", f"no source is named {pair.source!r}")
        return self

    @model_validator(mode="after")
    def _unique_destinations(self) -> SwapBody:
        _require_unique(
            "destinations",
            [found if isinstance(found, str) else found.name for found in self.destinations or []],
        )
        return self


class SwapTensorOptions(SwapFields):
    """The `options` tensor of a V2 swap: preloaded destinations by name, when no destination tensor is sent."""

    destinations: Annotated[list[Name], Field(min_length=1)] | None = None

    @model_validator(mode="after")
    def _sources_are_rows(self) -> SwapTensorOptions:
        for index, pair in enumerate(self.pairs or []):
            if pair.source is not None:
                raise _at(f"pairs[{index}].source", "on V2 every row of the tensor image is a source of its own")
        _require_unique("destinations", self.destinations or [])
        return self


class EnhanceFields(Strict):
    """The fields of an enhance that are no pictures."""

    restore: bool | Restore = True
    upscale: Upscale = 2
    output: Output = Output()
    report: bool = False

    def enhance_options(self) -> EnhanceOptions:
        """Return what the pipeline is asked."""
        return EnhanceOptions(_restore_options(self.restore), self.upscale)


class EnhanceBody(EnhanceFields):
    """A V1 enhance."""

    image: Base64 = Field(repr=False)


class DetectFields(Strict):
    """The fields of a detect that are no pictures: none."""


class DetectBody(DetectFields):
    """A V1 detect."""

    image: Base64 = Field(repr=False)


def validated(model: type[_T], value: object, prefix: str = "") -> _T:
    """Return a body as its model.

    Args:
        model: The shape it must have.
        value: What the JSON held.
        prefix: Where it stands in the request: empty or `instances[2].`.

    Raises:
        InvalidField: The first thing that is wrong, with the path of its field.
    """
    if not isinstance(value, dict):
        raise InvalidField(prefix.rstrip("."), "expected a JSON object")
    for name in value:  # the first of them is enough: pydantic would list all, and a body can hold very many
        if name not in model.model_fields:
            raise InvalidField(prefix + name[:_LONGEST_NAME_SHOWN], _UNKNOWN_FIELD)
    try:
        return model.model_validate(value)
    except ValidationError as error:
        field, reason = _first_problem(error)
        raise InvalidField(prefix + field if field else prefix.rstrip("."), reason) from None


class _FieldProblem(ValueError):
    """A problem that a validator over several fields found in one of them."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(reason)
        self.field = field


def _at(field: str, reason: str) -> _FieldProblem:
    return _FieldProblem(field, reason)


def _require_unique(field: str, names: list[str]) -> None:
    if len(set(names)) < len(names):
        raise _at(field, "names must be unique")


def _restore_options(restore: bool | Restore) -> RestoreOptions | None:  # noqa: FBT001  # the field's own type
    if isinstance(restore, Restore):
        return RestoreOptions(restore.model, restore.blend)
    return RestoreOptions() if restore else None


def _first_problem(error: ValidationError) -> tuple[str, str]:
    """Return path and reason; where a value may have several types, those of the type that came furthest."""
    problems = error.errors(include_url=False, include_input=False)
    value = _parts(problems[0])[0]
    same_value = [problem for problem in problems if problem["loc"][: len(value)] == value]
    problem = max(same_value, key=lambda one: len(_path(one)))
    cause: Any = problem.get("ctx", {}).get("error")
    if isinstance(cause, _FieldProblem):
        return cause.field, str(cause)
    path = _path(problem)
    if problem["type"] in _REASONS:
        return _joined(path), _REASONS[problem["type"]]
    expected = dict.fromkeys(_expected(one) for one in same_value if _path(one) == path)
    return _joined(path), f"expected {' or '.join(expected)}"


def _expected(problem: Any) -> str:  # noqa: ANN401  # pydantic's ErrorDetails
    kind = problem["type"]
    return _EXPECTED[kind].format(**problem.get("ctx", {})) if kind in _EXPECTED else str(problem["msg"])


def _path(problem: Any) -> _Path:  # noqa: ANN401  # pydantic's ErrorDetails
    """Return where a problem is, without the names pydantic gives to the types that a value may have."""
    return tuple(part for parts in _parts(problem) for part in parts)


def _parts(problem: Any) -> list[_Path]:  # noqa: ANN401  # pydantic's ErrorDetails
    """Return where a problem is, cut where a value may have several types."""
    location: _Path = problem["loc"]
    parts: list[list[str | int]] = [[]]
    for index, part in enumerate(location):
        is_unknown_field = index == len(location) - 1 and problem["type"] == "extra_forbidden"
        if isinstance(part, int) or part in _FIELD_NAMES or is_unknown_field:
            parts[-1].append(part)
        else:
            parts.append([])
    return [tuple(one) for one in parts]


def _joined(path: _Path) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


_FIELD_NAMES = {
    name
    for model in (SwapBody, SwapTensorOptions, EnhanceBody, DetectBody, NamedImage, Restore, Output, PairOfFaces)
    for name in model.model_fields
}
_UNKNOWN_FIELD = "unknown field"
_LONGEST_NAME_SHOWN = 128
_REASONS = {"extra_forbidden": _UNKNOWN_FIELD, "missing": "required"}
# pydantic's kinds of problem in our words
_EXPECTED = {
    "bool_type": "true or false",
    "dict_type": "an object",
    "finite_number": "a finite number",
    "float_type": "a number",
    "greater_than_equal": "at least {ge:g}",
    "int_type": "a whole number",
    "less_than_equal": "at most {le:g}",
    "list_type": "a list",
    "literal_error": "{expected}",
    "model_type": "an object",
    "string_too_long": "at most {max_length} characters",
    "string_too_short": "at least {min_length} character",
    "string_type": "a text",
    "too_short": "at least {min_length} entry",
}
