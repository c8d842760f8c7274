from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from pathlib import Path

# Documentation, licences, the names of metadata schemas, weights, and addresses of no machine at all.
KNOWN_HOSTS = {
    "127.0.0.1",
    "creativecommons.org",
    "cv.iptc.org",
    "example.com",
    "example.org",
    "filesystem-spec.readthedocs.io",
    "git-lfs.github.com",
    "github.com",
    "huggingface.co",
    "iptc.org",
    "json-schema.org",
    "keepachangelog.com",
    "kserve.github.io",
    "localhost",
    "mirror",
    "ns.adobe.com",
    "nowhere",
    "predictor",
    "prometheus",
    "semver.org",
    "www.apache.org",
    "www.w3.org",
}
NO_HOST = (".test", ".example.com")  # RFC 6761: never a machine of anybody
INSIDE_A_CLUSTER = (".svc", ".svc.cluster.local")
ADDRESS = re.compile(r"""https?://[^\s"'`<>()\[\]{},\\]+""")
MACHINE_PATH = re.compile(r"""(?<![\w.{}$])/(?:root|work|opt)/""")


def _texts(paths: list[Path]) -> dict[Path, str]:
    texts = {}
    for path in paths:
        content = path.read_bytes()
        if b"\0" not in content:
            texts[path] = content.decode()
    return texts


def _is_known(host: str) -> bool:
    return "%" in host or host in KNOWN_HOSTS or host.endswith(NO_HOST + INSIDE_A_CLUSTER)


def test_no_file_names_a_host_that_is_not_known(tracked_files: list[Path], root: Path) -> None:
    strangers = [
        f"{path.relative_to(root)}: {address}"
        for path, text in _texts(tracked_files).items()
        for address in ADDRESS.findall(text)
        if not _is_known(urlsplit(address).hostname or "")
    ]

    assert strangers == []


def test_no_file_names_a_path_of_the_machine_it_was_written_on(tracked_files: list[Path], root: Path) -> None:
    found = [
        f"{path.relative_to(root)}: {line.strip()}"
        for path, text in _texts(tracked_files).items()
        for line in text.splitlines()
        if MACHINE_PATH.search(line)
    ]

    assert found == []


def test_every_text_ends_with_a_newline_and_no_line_with_a_space(tracked_files: list[Path], root: Path) -> None:
    untidy = [
        str(path.relative_to(root))
        for path, text in _texts(tracked_files).items()
        if text and (not text.endswith("\n") or re.search(r"[ \t]+$", text, re.MULTILINE))
    ]

    assert untidy == []
