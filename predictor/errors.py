"""Everything that can go wrong, named after what happened.

    PredictorError
    ├── InvalidRequest              the caller's fault
    │   ├── InvalidField            a field missing, unknown, of the wrong type or out of bounds
    │   ├── ClientGone              the connection ended; nobody is told
    │   ├── InvalidBase64, UndecodableImage, UnsupportedImage
    │   ├── RequestTooLarge, ImageTooLarge, OutputTooLarge
    │   ├── TooManyItems, TooManyFaces
    │   ├── NoFaceFound, FaceIndexOutOfRange, DegenerateFace
    │   ├── UnsupportedOption       this recipe cannot do it
    │   ├── UnknownDestination, UnknownModel, NotFound
    │   └── MethodNotAllowed, NotSupported
    ├── RequestRefused              forbidden
    ├── ServiceUnavailable          try later
    │   ├── Overloaded, NotReady
    │   └── DeadlineExceeded
    │       └── BodyTooSlow         nothing of the body came any more
    ├── StageFailed                 ours: a stage gave an answer that cannot be right
    └── StartupError                the server cannot start; one sentence, exit 3
        ├── WeightsMissing, WeightsDamaged, WeightsUnknown, LicenceNotAccepted
        ├── PullFailed              `weights pull` could not get a file
        ├── PackagesMissing, ConversionFailed
        └── ProviderUnavailable

Each error carries a code for programs, a sentence for a person and its facts as `details`. Statuses are
not known here: `serving.statuses` holds the one table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Detail = str | int | float | list[str] | None


class PredictorError(Exception):
    """The root of all errors of this package."""

    code: ClassVar[str] = "internal"

    def __init__(self, sentence: str, **details: Detail) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.details: Mapping[str, Detail] = details

    def detached(self) -> Self:
        """Forget where it was raised, and return it: an error that is kept shall keep no frame with pictures alive."""
        self.__traceback__ = self.__cause__ = self.__context__ = None
        return self


class InvalidRequest(PredictorError):
    """The request cannot be served as it is; sending it again will not help."""

    code = "invalid_request"


class InvalidField(InvalidRequest):
    """A field is missing, unknown, of the wrong type or out of bounds."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field}: {reason}" if field else reason, field=field)


class ClientGone(InvalidField):
    """The client hung up before its answer; raised to end its work, and read by nobody but the counters."""

    def __init__(self, before: str) -> None:
        super().__init__("", f"the connection ended before {before}")


class InvalidBase64(InvalidRequest):
    """A text that should be base64 is not."""

    code = "invalid_base64"

    def __init__(self, field: str) -> None:
        super().__init__(f"{field}: not valid base64", field=field)


class UndecodableImage(InvalidRequest):
    """The bytes are no picture, or a broken or truncated one."""

    code = "undecodable_image"

    def __init__(self, field: str, reason: str = "the bytes are not a complete picture") -> None:
        super().__init__(f"{field}: {reason}", field=field)


class UnsupportedImage(InvalidRequest):
    """A picture of a kind that is not taken."""

    code = "unsupported_image"

    def __init__(self, field: str, image_format: str) -> None:
        super().__init__(
            f"{field}: pictures of the kind {image_format} are not taken; send JPEG, PNG, WebP, BMP, TIFF, GIF or AVIF",
            field=field,
            format=image_format,
        )


class OverLimit(InvalidRequest):
    """Something is larger, or more, than the settings allow."""

    def __init__(self, sentence: str, *, limit: int, actual: int, **details: Detail) -> None:
        super().__init__(sentence, limit=limit, actual=actual, **details)


class RequestTooLarge(OverLimit):
    """The body has more bytes than the settings allow."""

    code = "request_too_large"

    def __init__(self, actual: int, limit: int) -> None:
        super().__init__(
            f"the request has at least {actual:,} bytes; at most {limit:,} are accepted", limit=limit, actual=actual
        )


class ImageTooLarge(OverLimit):
    """A picture, or all pictures of a request together, have more pixels than the settings allow."""

    code = "image_too_large"

    def __init__(self, field: str, actual: int, limit: int) -> None:
        super().__init__(
            f"{field}: {actual:,} pixels; at most {limit:,} are accepted", limit=limit, actual=actual, field=field
        )


class OutputTooLarge(OverLimit):
    """The answer would have more pixels than the settings or the output format allow."""

    code = "output_too_large"


class TooManyItems(OverLimit):
    """More destinations, instances or pairs than the settings allow."""

    code = "too_many_items"

    def __init__(self, field: str, actual: int, limit: int) -> None:
        super().__init__(
            f"{field}: {actual:,} given; at most {limit:,} are accepted", limit=limit, actual=actual, field=field
        )


class TooManyFaces(OverLimit):
    """A picture has more faces than the settings allow."""

    code = "too_many_faces"

    def __init__(self, picture: str, actual: int, limit: int) -> None:
        super().__init__(
            f"{picture} has {actual:,} faces; at most {limit:,} are accepted",
            limit=limit,
            actual=actual,
            picture=picture,
        )


class NoFaceFound(InvalidRequest):
    """No face was found in a picture that needs one."""

    code = "no_face_found"

    def __init__(self, picture: str) -> None:
        super().__init__(f"no face was found in {picture}", picture=picture, faces=0)


class FaceIndexOutOfRange(InvalidRequest):
    """The picture has fewer faces than the id that was asked for."""

    code = "face_index_out_of_range"

    def __init__(self, picture: str, face_id: int, faces: int) -> None:
        super().__init__(
            f"face {face_id} was asked for, but {picture} has {faces} {'face' if faces == 1 else 'faces'}",
            picture=picture,
            faces=faces,
        )


class DegenerateFace(InvalidRequest):
    """The landmarks of a face lie on one spot, so it cannot be aligned."""

    code = "degenerate_face"

    def __init__(self, picture: str, faces: int) -> None:
        super().__init__(f"a face in {picture} is too small or too distorted to align", picture=picture, faces=faces)


class DegenerateLandmarks(PredictorError):
    """Landmarks lie on one spot, so no similarity exists; the pipeline knows the picture and says DegenerateFace."""


class UnsupportedOption(InvalidRequest):
    """The recipe this server runs cannot do what was asked."""

    code = "unsupported_option"

    def __init__(self, field: str, asked: str, available: Sequence[str]) -> None:
        offer = f"available: {', '.join(available)}" if available else "this server has none"
        super().__init__(f"{field}: {asked} is not available; {offer}", field=field, available=list(available))


class UnknownDestination(InvalidRequest):
    """A destination was named that was not preloaded."""

    code = "unknown_destination"

    def __init__(self, name: str, place: str = "") -> None:
        super().__init__(f"{place}destinations: no picture named {name!r} is preloaded", destination=name)


class UnknownModel(InvalidRequest):
    """The server has no model of that name."""

    code = "unknown_model"

    def __init__(self, name: str, available: Sequence[str]) -> None:
        super().__init__(
            f"no model named {name!r}; available: {', '.join(available)}", model=name, available=list(available)
        )


class NotFound(InvalidRequest):
    """No such route."""

    code = "not_found"

    def __init__(self, path: str) -> None:
        super().__init__(f"nothing is served at {path}")


class MethodNotAllowed(InvalidRequest):
    """The route exists, but not for this HTTP method."""

    code = "method_not_allowed"

    def __init__(self, method: str, allowed: Sequence[str]) -> None:
        super().__init__(f"{method} is not allowed here; use {', '.join(allowed)}", allowed=list(allowed))


class NotSupported(InvalidRequest):
    """The protocol has it, this server does not: explain, model versions."""

    code = "not_supported"


class RequestRefused(PredictorError):
    """The request is understood and not allowed."""

    code = "refused"


class ServiceUnavailable(PredictorError):
    """Nothing is wrong with the request; the same request may succeed later."""


class Overloaded(ServiceUnavailable):
    """The queue is full, or the request waited in it for too long."""

    code = "overloaded"

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__(
            f"the server is busy; try again in about {retry_after_seconds} s", retry_after_seconds=retry_after_seconds
        )
        self.retry_after_seconds = retry_after_seconds


class DeadlineExceeded(ServiceUnavailable):
    """The caller's deadline, or the server's own, has passed."""

    code = "deadline_exceeded"

    def __init__(self, timeout_seconds: float) -> None:
        super().__init__(f"the request was not done within {timeout_seconds:g} s", timeout_seconds=timeout_seconds)


class BodyTooSlow(DeadlineExceeded):
    """Nothing of the body came for longer than the settings allow."""

    def __init__(self, timeout_seconds: float) -> None:
        super().__init__(timeout_seconds)
        self.sentence = f"the body did not come: nothing of it within {timeout_seconds:g} s"


class NotReady(ServiceUnavailable):
    """The models are still loading, or the server is past its drain delay."""

    code = "not_ready"

    def __init__(self, reason: str = "the models are still loading") -> None:
        super().__init__(f"not ready: {reason}")


class StageFailed(PredictorError):
    """A stage gave an answer that cannot be right: not finite, constant, of the wrong shape."""

    def __init__(self, stage: str, reason: str) -> None:
        super().__init__(f"{stage}: {reason}")


class StartupError(PredictorError):
    """The server cannot start; the sentence says what the operator can do."""


class WeightsMissing(StartupError):
    """A file of weights is in none of the places that are searched."""


class WeightsDamaged(StartupError):
    """A file of weights is truncated, or its sha256 is not the manifest's."""


class WeightsUnknown(StartupError):
    """Nothing says which sha256 a file of weights should have, so nothing tells whether it is the right one."""


class PullFailed(StartupError):
    """A file of weights could be had from none of its addresses, or not be written."""


class LicenceNotAccepted(StartupError):
    """The operator has not accepted the licence of a file of weights."""


class PackagesMissing(StartupError):
    """An extra is not installed that this word or recipe needs."""


class ConversionFailed(StartupError):
    """A file of weights cannot be made into a network that computes what torch computes."""


class ProviderUnavailable(StartupError):
    """The execution provider that was asked for cannot be had on this machine or in this build."""
