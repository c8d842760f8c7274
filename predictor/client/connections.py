"""Connections to a predictor: REST or gRPC, kept or new for every call, with a host of their own and a token."""

from __future__ import annotations

import struct
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import httpx

from predictor.client.failures import CallFailed, Failure, UnreadableAnswer, no_answer_within
from predictor.client.messages import load_stubs
from predictor.client.questions import from_v1, from_v2
from predictor.client.wire import infer_binary, infer_grpc, infer_json, predict

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

    import grpc

    from predictor.call_arguments import Spoken
    from predictor.client.questions import Answer, Question


@dataclass(frozen=True, slots=True)
class Target:
    """Where a predictor is, and how it is spoken to."""

    url: str
    """REST: an address of `http` or `https`; gRPC: `host:port`."""
    protocol: Spoken = "v1"
    timeout_seconds: float = 60.0
    """REST: for the connection, and for each silence; gRPC: for the call."""
    host: str | None = None
    """What a gateway routes by, where the address does not say it."""
    token: str | None = field(default=None, repr=False)
    tls: bool = False
    """gRPC only: REST's URL says it."""
    kept: bool = True
    """Whether a connection is used for the next call."""

    @property
    def authorization(self) -> dict[str, str]:
        """The header that carries the token."""
        return {} if self.token is None else {"authorization": f"Bearer {self.token}"}


class Connection(Protocol):
    """One client's way to a predictor."""

    def ask(self, question: Question) -> Answer:
        """Make one call.

        Raises:
            CallFailed: It brought no answer.
        """

    def close(self) -> None:
        """Hang up."""


class Connections:
    """Makes connections to a target; what is slow to load is loaded once, before anything is timed."""

    def __init__(self, target: Target) -> None:
        self._target = target
        if target.protocol == "grpc":
            load_stubs()
        else:
            self._trusted = httpx.create_ssl_context()

    def open(self) -> Connection:
        """Return a connection of its own; it is made with its first call."""
        if self._target.protocol == "grpc":
            return GrpcConnection(self._target)
        return RestConnection(self._target, self._trusted)


class RestConnection:
    """V1 or V2 over HTTP."""

    def __init__(self, target: Target, trusted: ssl.SSLContext) -> None:
        self._target = target
        host = {} if target.host is None else {"host": target.host}
        self._http = httpx.Client(
            base_url=target.url,
            headers={**host, **target.authorization},
            timeout=target.timeout_seconds,
            limits=httpx.Limits(max_keepalive_connections=1 if target.kept else 0, keepalive_expiry=None),
            verify=trusted,
        )

    def ask(self, question: Question) -> Answer:
        """Make one call."""
        with _told(self._target.timeout_seconds):
            if self._target.protocol == "v1":
                return from_v1(question.task, predict(self._http, question.model, question.v1()))
            infer = infer_json if self._target.protocol == "v2" else infer_binary
            return from_v2(question.task, infer(self._http, question.v2()))

    def close(self) -> None:
        """Hang up."""
        self._http.close()


@contextmanager
def _told(timeout_seconds: float) -> Iterator[None]:
    """Call by our own names what goes wrong without the predictor's having said so."""
    try:
        yield
    except httpx.TimeoutException as error:
        raise CallFailed(Failure("timeout", no_answer_within(timeout_seconds))) from error
    except httpx.ConnectError as error:
        raise CallFailed(Failure("unreachable", f"no connection: {error}")) from error
    except httpx.TransportError as error:
        reason = str(error) or type(error).__name__
        raise CallFailed(Failure("connection_lost", f"the connection ended before the answer: {reason}")) from error
    except (KeyError, TypeError, ValueError, struct.error, httpx.DecodingError) as error:
        raise UnreadableAnswer from error


class GrpcConnection:
    """V2 over gRPC, on a channel that shares nothing with others."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._metadata = tuple(target.authorization.items())
        self._channel: grpc.Channel | None = None

    def ask(self, question: Question) -> Answer:
        """Make one call."""
        if self._channel is None:
            self._channel = _channel(self._target)
        try:
            with _told(self._target.timeout_seconds):
                inferred = infer_grpc(self._channel, question.v2(), self._target.timeout_seconds, self._metadata)
                return from_v2(question.task, inferred)
        finally:
            if not self._target.kept:
                self.close()

    def close(self) -> None:
        """Hang up."""
        if self._channel is not None:
            self._channel.close()
            self._channel = None


def _channel(target: Target) -> grpc.Channel:
    import grpc  # noqa: PLC0415  # not for REST

    options: list[tuple[str, Any]] = [
        ("grpc.max_send_message_length", -1),
        ("grpc.max_receive_message_length", -1),
        ("grpc.use_local_subchannel_pool", 1),  # else channels to one address share a connection
    ]
    if target.host is not None:
        options.append(("grpc.default_authority", target.host))
    if target.tls:
        return grpc.secure_channel(target.url, grpc.ssl_channel_credentials(), options)
    return grpc.insecure_channel(target.url, options)
