from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from predictor.errors import PullFailed
from predictor.weights import download
from predictor.weights.download import Downloader, Patience, SourceFailed, Wanted, forget
from tests.unit.weights.shelf import (
    Notes,
    Shelf,
    chunked,
    cut,
    drips,
    knows_no_range,
    redirect,
    sha256,
    stalls,
    status,
    whole,
    without_length,
)

BYTES = bytes(range(256)) * 40
WANTED = Wanted("net.onnx", len(BYTES), sha256(BYTES))
UNKNOWN = Wanted("net.onnx", None, None)
HASTY = Patience(connect_seconds=0.5, stall_seconds=0.2, least_bytes=100, tries=3, pause_seconds=0.001)

Fetch = Callable[[str, Wanted], bool]


@pytest.fixture
def partial(tmp_path: Path) -> Path:
    return tmp_path / "net.onnx.part"


@pytest.fixture
def downloader(notes: Notes) -> Iterator[Downloader]:
    opened = Downloader(notes, HASTY)
    yield opened
    opened.close()


@pytest.fixture
def fetch(downloader: Downloader, partial: Path) -> Fetch:
    return lambda url, wanted: downloader.fetch(url, partial, wanted)


# ── what goes well ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_comes_whole_and_uncompressed_and_progress_is_told(
    shelf: Shelf, fetch: Fetch, partial: Path, notes: Notes
) -> None:
    resumed = fetch(shelf.put("/net", whole(BYTES)), WANTED)

    assert partial.read_bytes() == BYTES
    assert not resumed
    assert notes.starts == [("net.onnx", 0, len(BYTES))]
    assert notes.bytes == len(BYTES)
    assert shelf.headers_of_requests("Accept-Encoding") == ["identity"]


def test_a_redirect_is_followed(shelf: Shelf, fetch: Fetch, partial: Path) -> None:
    end = shelf.put("/there", whole(BYTES))

    fetch(shelf.put("/net", redirect(end)), WANTED)

    assert partial.read_bytes() == BYTES


def test_a_file_of_unknown_length_in_chunks_is_taken(shelf: Shelf, fetch: Fetch, partial: Path) -> None:
    fetch(shelf.put("/net", chunked(BYTES)), UNKNOWN)

    assert partial.read_bytes() == BYTES


# ── going on ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_connection_that_breaks_is_gone_on_with(shelf: Shelf, fetch: Fetch, partial: Path, notes: Notes) -> None:
    fetch(shelf.put("/net", cut(BYTES, 1000), cut(BYTES, 2000), whole(BYTES)), WANTED)

    assert partial.read_bytes() == BYTES
    assert shelf.headers_of_requests("Range") == [None, "bytes=1000-", "bytes=3000-"]
    assert [done for _, done, _ in notes.starts] == [0, 1000, 3000]


def test_what_an_earlier_run_left_is_gone_on_with_and_told(shelf: Shelf, fetch: Fetch, partial: Path) -> None:
    partial.write_bytes(BYTES[:5000])

    resumed = fetch(shelf.put("/net", whole(BYTES)), WANTED)

    assert resumed
    assert partial.read_bytes() == BYTES
    assert shelf.headers_of_requests("Range") == ["bytes=5000-"]


@pytest.mark.parametrize("validator", [{"ETag": '"1"'}, {"Last-Modified": "Sat, 21 Nov 2026 16:00:00 GMT"}])
def test_the_rest_of_a_file_that_changed_meanwhile_is_not_appended(
    shelf: Shelf, fetch: Fetch, partial: Path, validator: dict[str, str]
) -> None:
    old, new = BYTES, BYTES[::-1]

    fetch(shelf.put("/net", cut(old, 1000, None, **validator), whole(new, ETag='"2"')), UNKNOWN)

    assert partial.read_bytes() == new
    assert shelf.headers_of_requests("If-Range") == [None, next(iter(validator.values()))]


def test_nothing_of_a_longer_file_is_left_behind_a_shorter_one(shelf: Shelf, fetch: Fetch, partial: Path) -> None:
    fetch(shelf.put("/net", cut(BYTES, 5000, None, ETag='"1"'), whole(b"short", ETag='"2"')), UNKNOWN)

    assert partial.read_bytes() == b"short"


def test_a_file_that_did_not_change_is_gone_on_with_by_its_validator(shelf: Shelf, fetch: Fetch, partial: Path) -> None:
    fetch(shelf.put("/net", cut(BYTES, 1000, ETag='"1"'), whole(BYTES, ETag='"1"')), UNKNOWN)

    assert partial.read_bytes() == BYTES
    assert shelf.headers_of_requests("Range") == [None, "bytes=1000-"]


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"1"'}])
def test_without_sha256_and_validator_a_file_comes_whole_again(
    shelf: Shelf, fetch: Fetch, partial: Path, headers: dict[str, str]
) -> None:
    fetch(shelf.put("/net", cut(BYTES, 1000, None, **headers), whole(BYTES, **headers)), UNKNOWN)

    assert partial.read_bytes() == BYTES
    assert shelf.headers_of_requests("Range") == [None, None]


def test_a_validator_of_one_address_is_not_told_to_another(shelf: Shelf, fetch: Fetch, partial: Path) -> None:
    with pytest.raises(SourceFailed):
        fetch(shelf.put("/one", cut(BYTES, 1000, ETag='"1"'), status(404)), WANTED)

    fetch(shelf.put("/two", whole(BYTES, ETag='"2"')), WANTED)

    assert partial.read_bytes() == BYTES
    assert shelf.headers_of_requests("If-Range") == [None, '"1"', None]
    assert shelf.headers_of_requests("Range")[-1] == "bytes=1000-"


def test_a_server_that_ignores_ranges_sends_it_all_again(shelf: Shelf, fetch: Fetch, partial: Path) -> None:
    partial.write_bytes(b"y" * 5000)

    fetch(shelf.put("/net", knows_no_range(BYTES)), WANTED)

    assert partial.read_bytes() == BYTES


def test_a_server_that_goes_on_elsewhere_is_asked_for_the_whole(shelf: Shelf, fetch: Fetch, partial: Path) -> None:
    partial.write_bytes(BYTES[:5000])
    elsewhere = status(206, **{"Content-Range": f"bytes 4000-{len(BYTES) - 1}/{len(BYTES)}"})

    fetch(shelf.put("/net", elsewhere, whole(BYTES)), WANTED)

    assert partial.read_bytes() == BYTES
    assert shelf.headers_of_requests("Range") == ["bytes=5000-", None]


def test_a_file_that_is_whole_already_is_not_asked_for(shelf: Shelf, fetch: Fetch, partial: Path) -> None:
    partial.write_bytes(BYTES)

    assert fetch(shelf.put("/net", whole(BYTES)), WANTED)
    assert shelf.asked == []


def test_a_file_that_the_server_says_is_whole_is_taken_so(shelf: Shelf, fetch: Fetch, partial: Path) -> None:
    partial.write_bytes(BYTES)

    fetch(shelf.put("/net", whole(BYTES)), Wanted("net.onnx", None, sha256(BYTES)))

    assert partial.read_bytes() == BYTES


def test_a_partial_file_that_is_too_long_is_begun_anew(shelf: Shelf, fetch: Fetch, partial: Path) -> None:
    partial.write_bytes(BYTES + b"more")
    unsized = Wanted("net.onnx", None, sha256(BYTES))

    fetch(shelf.put("/sized", whole(BYTES)), WANTED)
    assert partial.read_bytes() == BYTES

    partial.write_bytes(BYTES + b"more")
    fetch(shelf.put("/unsized", whole(BYTES)), unsized)
    assert partial.read_bytes() == BYTES


def test_forgetting_leaves_nothing(shelf: Shelf, fetch: Fetch, partial: Path) -> None:
    fetch(shelf.put("/net", whole(BYTES, ETag='"1"')), WANTED)
    assert len(list(partial.parent.glob("*.part*"))) + len(list(partial.parent.glob(".*"))) >= 2

    forget(partial)

    assert [path for path in partial.parent.iterdir() if path.is_file()] == []


# ── what goes wrong ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("code", "asked"), [(404, 1), (403, 1), (410, 1), (206, 1), (416, 1), (429, 3), (500, 3), (503, 3)]
)
def test_a_refusal_is_final_and_a_trouble_is_asked_again(shelf: Shelf, fetch: Fetch, code: int, asked: int) -> None:
    with pytest.raises(SourceFailed, match=f"^it answered {code} "):
        fetch(shelf.put("/net", status(code)), WANTED)

    assert len(shelf.asked) == asked


def test_a_server_that_comes_back_is_forgiven(shelf: Shelf, fetch: Fetch, partial: Path) -> None:
    fetch(shelf.put("/net", status(503), status(502), whole(BYTES)), WANTED)

    assert partial.read_bytes() == BYTES


def test_a_connection_that_breaks_again_and_again_is_given_up(shelf: Shelf, fetch: Fetch, partial: Path) -> None:
    with pytest.raises(SourceFailed, match=r"^the connection broke off$"):
        fetch(shelf.put("/net", cut(BYTES, 10)), WANTED)

    assert len(shelf.asked) == 3
    assert partial.read_bytes() == BYTES[:30]


def test_a_source_that_breaks_often_and_sends_much_in_between_is_not_given_up(
    shelf: Shelf, fetch: Fetch, partial: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "_PROGRESS_BYTES", 1000)

    fetch(shelf.put("/net", *[cut(BYTES, 1500)] * 6, whole(BYTES)), WANTED)

    assert partial.read_bytes() == BYTES


def test_a_server_that_stalls_is_given_up_within_the_time_limit(shelf: Shelf, fetch: Fetch) -> None:
    with pytest.raises(SourceFailed, match=r"^nothing came for 0\.2 s$"):
        fetch(shelf.put("/net", stalls(BYTES, 100)), WANTED)


def test_a_server_that_only_drips_is_given_up(shelf: Shelf, fetch: Fetch) -> None:
    with pytest.raises(SourceFailed, match=r"^it sent only \d+ bytes in 0\.2 s$"):
        fetch(shelf.put("/net", drips(BYTES, 0.02)), WANTED)


def test_a_server_that_is_slow_and_steady_is_not_given_up(shelf: Shelf, fetch: Fetch, partial: Path) -> None:
    fetch(shelf.put("/net", drips(BYTES, 0.03, 500)), WANTED)

    assert partial.read_bytes() == BYTES
    assert len(shelf.asked) == 1


def test_a_server_that_nobody_answers_for_is_told(fetch: Fetch) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(SourceFailed, match=r"^no connection: "):
            fetch(f"http://127.0.0.1:{nobody.getsockname()[1]}/net", WANTED)


def test_a_connection_that_takes_too_long_is_told(fetch: Fetch) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)  # one is let in, the next ones wait
        address = full.getsockname()
        with socket.create_connection(address, 1), socket.socket() as second:
            second.settimeout(0)
            second.connect_ex(address)
            with pytest.raises(SourceFailed, match=r"^no connection within 0\.5 s$"):
                fetch(f"http://127.0.0.1:{address[1]}/net", WANTED)


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (whole(BYTES + b"more"), "it offers 10,244 bytes, the manifest has 10,240"),
        (whole(BYTES[:-1]), "it offers 10,239 bytes, the manifest has 10,240"),
        (chunked(BYTES + b"more"), "it sends more than 10,240 bytes"),
        (chunked(BYTES[:-1]), "it ended after 10,239 of 10,240 bytes"),
        (whole(BYTES, **{"Content-Encoding": "gzip"}), "it sends the file compressed, though it was asked not to"),
        (redirect("ftp://127.0.0.1/net"), "Request URL has an unsupported protocol 'ftp://'."),
    ],
)
def test_what_a_server_says_of_the_length_or_sends_too_much_is_not_believed(
    shelf: Shelf, fetch: Fetch, answer: object, told: str
) -> None:
    with pytest.raises(SourceFailed) as raised:
        fetch(shelf.put("/net", answer), WANTED)  # type: ignore[arg-type]  # a parameter of pytest is an object

    assert str(raised.value) == told


def test_redirects_in_a_circle_are_given_up(shelf: Shelf, fetch: Fetch) -> None:
    with pytest.raises(SourceFailed, match=r"[Rr]edirects"):
        fetch(shelf.put("/net", redirect(f"{shelf.address}/net")), WANTED)


def test_a_file_that_claims_to_be_longer_than_it_is_is_never_whole(shelf: Shelf, fetch: Fetch) -> None:
    with pytest.raises(SourceFailed, match=r"^the connection broke off$"):
        fetch(shelf.put("/net", cut(BYTES, len(BYTES), claimed=len(BYTES) + 5)), UNKNOWN)


def test_a_file_of_which_neither_length_nor_sha256_is_known_is_not_taken(shelf: Shelf, fetch: Fetch) -> None:
    with pytest.raises(SourceFailed, match=r"^it does not say how long the file is, so nobody would notice"):
        fetch(shelf.put("/net", without_length(BYTES)), UNKNOWN)


def test_a_file_of_unknown_size_does_not_fill_the_disk(shelf: Shelf, notes: Notes, partial: Path) -> None:
    downloader = Downloader(notes, Patience(largest_unknown_bytes=5000))

    with pytest.raises(SourceFailed, match=r"^it sends more than 5,000 bytes$"):
        downloader.fetch(shelf.put("/net", chunked(BYTES)), partial, UNKNOWN)

    downloader.close()


def test_an_address_of_https_may_not_lead_to_http(
    shelf: Shelf, downloader: Downloader, partial: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = shelf.put("/net", whole(BYTES))
    take = Downloader._take

    def as_if_redirected(self: Downloader, response: object, _url: str, partial: Path, wanted: Wanted) -> None:
        take(self, response, "https://weights.test/net", partial, wanted)  # type: ignore[arg-type]

    monkeypatch.setattr(Downloader, "_take", as_if_redirected)

    with pytest.raises(SourceFailed, match=r"^it redirects from https to http$"):
        downloader.fetch(url, partial, WANTED)


# ── proxies ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_proxy_is_used_for_what_no_proxy_does_not_name(
    shelf: Shelf, notes: Notes, partial: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf.put("http://weights.test/net", whole(BYTES))
    monkeypatch.setenv("HTTP_PROXY", shelf.address)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    downloader = Downloader(notes, HASTY)

    downloader.fetch("http://weights.test/net", partial, WANTED)
    assert partial.read_bytes() == BYTES
    forget(partial)
    downloader.fetch(shelf.put("/direct", whole(BYTES)), partial, WANTED)

    assert [path for path, _ in shelf.asked] == ["http://weights.test/net", "/direct"]
    downloader.close()


def test_a_proxy_that_refuses_the_way_to_https_is_told(
    shelf: Shelf, notes: Notes, partial: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", shelf.address)
    downloader = Downloader(notes, HASTY)

    with pytest.raises(SourceFailed, match=r"^the proxy refused: "):
        downloader.fetch("https://weights.test/net", partial, WANTED)

    downloader.close()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("gopher://user:secret@proxy.test:1", "it is no proxy's address"),
        ("http://proxy.test:many", "it is no proxy's address"),
        ("socks5://proxy.test:1080", "SOCKS proxies are not supported"),
    ],
)
def test_a_proxy_variable_that_names_no_proxy_is_told_without_its_password(
    notes: Notes, monkeypatch: pytest.MonkeyPatch, value: str, reason: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", value)

    with pytest.raises(PullFailed) as raised:
        Downloader(notes, HASTY)

    assert raised.value.sentence == f"HTTP_PROXY, HTTPS_PROXY or ALL_PROXY cannot be used: {reason}"
