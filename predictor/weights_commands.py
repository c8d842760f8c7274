"""The words `weights …` of the command line."""

from __future__ import annotations

import json
import sys
from dataclasses import astuple, replace
from typing import TYPE_CHECKING

from tqdm import tqdm

from predictor.errors import StartupError
from predictor.settings import read_settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

    from predictor.weights.store import Store

EXIT_OK, EXIT_CANNOT_START = 0, 3


def list_files(options: argparse.Namespace) -> int:
    """List the files of weights and where they stand here."""
    from predictor.weights.listing import as_json, as_text
    from predictor.weights.store import store_of

    store = store_of(read_settings())
    print(json.dumps(as_json(store), indent=2) if options.json else as_text(store))
    return EXIT_OK


def pull(options: argparse.Namespace) -> int:
    """Bring files of weights here; those of the recipe where none is named."""
    from predictor.weights.progress import ProgressBar
    from predictor.weights.pull import Puller

    store, folder = _store_and_folder(options)
    names, failed = list(dict.fromkeys(options.names)) or _needed(store), False
    with ProgressBar() as bar:
        puller = Puller(store, folder, bar, options.trust_first)
        for name in names:
            try:
                print(puller.pull(name, frozenset(names)))
            except StartupError as error:
                failed = True
                tqdm.write(f"error: {error.sentence}", file=sys.stderr)
    return EXIT_CANNOT_START if failed else EXIT_OK


def verify(options: argparse.Namespace) -> int:
    """Hash what is here again."""
    from predictor.weights.listing import bytes_to_verify, verdicts
    from predictor.weights.store import store_of

    store, failed = store_of(read_settings()), False
    size = bytes_to_verify(store, options.names)
    with tqdm(total=size, unit="B", unit_scale=True, disable=None, leave=False) as bar:
        for verdict in verdicts(store, options.names, bar.update):
            failed = failed or verdict.state != "OK"
            tqdm.write(f"{verdict.state:8} {verdict.sentence}", file=sys.stdout)
    return EXIT_CANNOT_START if failed else EXIT_OK


def convert(options: argparse.Namespace) -> int:
    """Make networks of official checkpoints."""
    from predictor.runtime.providers import session_opener
    from predictor.runtime.session import Network, Tensor
    from predictor.weights import convert as conversion

    store, folder = _store_and_folder(options)
    for name in options.names:
        store.licences.check(store.manifest, store.manifest.file(name))
    opened = session_opener("cpu", read_settings().threads)

    def run(path: Path, tensor: Tensor) -> Sequence[Tensor]:
        session = opened(Network(path.name, path, {}))
        return session.run(None, {session.get_inputs()[0].name: tensor})

    for made in conversion.convert(options.names, store, folder, run, options.denoise_strength):
        print(made)
    return EXIT_OK


def _store_and_folder(options: argparse.Namespace) -> tuple[Store, Path]:
    """Return the files there are, and the folder that new ones go to, which is searched first."""
    from predictor.settings import cache_folder
    from predictor.weights.store import store_of

    settings = read_settings()
    folder = options.to or settings.weights_dir or cache_folder()
    if folder is None:
        raise StartupError("this user has no home for a cache; choose a folder with --to or PREDICTOR_WEIGHTS_DIR")
    store = store_of(settings, options.accepted_licences)
    return replace(store, folders=list(dict.fromkeys([folder, *store.folders]))), folder


def _needed(store: Store) -> list[str]:
    from predictor.engines import recipe_of
    from predictor.weights.needs import needs_of, to_pull

    settings = read_settings()
    names = to_pull(store, needs_of(store.manifest, settings.recipe, astuple(recipe_of(settings))))
    if not names:
        raise StartupError(
            f"the recipe {settings.recipe} needs no files of weights; name files to pull, or set PREDICTOR_RECIPE=onnx"
        )
    return names
