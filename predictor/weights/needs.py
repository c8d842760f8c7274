"""Which files a recipe needs, and all that keeps them from being run, told at once."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, TypeAlias

from predictor.errors import LicenceNotAccepted, WeightsMissing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from predictor.weights.manifest import Manifest, WeightFile
    from predictor.weights.store import Store

_log = logging.getLogger(__name__)

Need: TypeAlias = "Sequence[WeightFile]"
"""Files of which any one will do."""

# The recipe that runs the peers' own packages, and what the manifest calls it where it says who uses a file.
_REFERENCE = "reference"


def needs_of(manifest: Manifest, recipe: str, models: Iterable[str | None]) -> list[Need]:
    """Return what a recipe needs, step by step.

    Args:
        manifest: All files.
        recipe: Its name; the packages of `reference` run the official files, not those that were made of them.
        models: Its models, by step.
    """
    alternatives = [files for model in models if model and (files := manifest.alternatives(model))]
    if recipe != _REFERENCE:
        return list(alternatives)
    official = [*(_official(manifest, files) for files in alternatives), manifest.alternatives(_REFERENCE)]
    return [[file] for file in {file.name: file for files in official for file in files}.values()]


def to_pull(store: Store, needs: Iterable[Need]) -> list[str]:
    """Return the names of the files to pull, each once: what is there already, else what is offered.

    Where only a made file will do, these are the files to convert.
    """
    names: list[str] = []
    for files in needs:
        there = [file for file in files if store.locate(file.name)]
        offered = [file for file in files if file.is_downloadable]
        chosen = (there or offered)[:1] or _official(store.manifest, files)
        names.extend(file.name for file in chosen)
    return list(dict.fromkeys(names))


def require(store: Store, needs: Sequence[Need]) -> None:
    """See that every need can be met: some file of each is there, of the right size, and may be used.

    Its bytes are compared by `find`, when its turn comes: hashing them all takes seconds.

    What the permissive profile leaves out is logged, needed or not.

    Raises:
        LicenceNotAccepted: Some may not be used.
        WeightsMissing: Some are nowhere.
        WeightsDamaged: One is truncated.
    """
    if store.licences.only_commercial:
        names = ", ".join(file.name for file in store.manifest.files.values() if store.licences.leaves_out(file))
        _log.info("PREDICTOR_PROFILE=permissive leaves out %s", names)
    forbidden = [files[0] for files in needs if not any(store.may_use(file) for file in files)]
    left_out = [file for file in forbidden if store.licences.leaves_out(file)]
    if left_out:
        raise _left_out(left_out)
    if forbidden:
        raise _not_accepted(store, forbidden)
    usable = [[file for file in files if store.may_use(file)] for files in needs]
    missing = [files for files in usable if not any(store.locate(file.name) for file in files)]
    if missing:
        raise _missing(store, missing)
    for files in usable:
        file, path = next((file, path) for file in files for path in store.locate(file.name))
        store.check_size(file, path)


def _official(manifest: Manifest, files: Need) -> list[WeightFile]:
    """Return the files that one of these is made from; the first of them where none is made."""
    sources = [manifest.files[source] for file in files for source in file.made_from]
    return sources or list(files[:1])


def _missing(store: Store, missing: Sequence[Need]) -> WeightsMissing:
    if len(missing) == 1:
        return store.missing(missing[0])
    names = ", ".join(" or ".join(file.name for file in files) for files in missing)
    return WeightsMissing(
        f"weights are missing: {names}; searched: {store.searched()}; "
        f"get them with `python -m predictor weights pull {' '.join(to_pull(store, missing))}`"
    )


def _left_out(files: Sequence[WeightFile]) -> LicenceNotAccepted:
    names = ", ".join(f"{file.name} ({file.weights_licence})" for file in files)
    return LicenceNotAccepted(
        f"PREDICTOR_PROFILE=permissive leaves out {names}: commercial use is not, or may not be, allowed; "
        "choose other models for these steps, or set PREDICTOR_PROFILE=all"
    )


def _not_accepted(store: Store, files: Sequence[WeightFile]) -> LicenceNotAccepted:
    licences = {file.weights_licence: store.manifest.licence(file) for file in files}
    told = [
        f"{name} for {', '.join(file.name for file in files if file.weights_licence == name)} "
        f"({licence.title}; {licence.url})"
        for name, licence in licences.items()
    ]
    accepted = ",".join(sorted({*store.licences.accepted, *licences}))
    return LicenceNotAccepted(
        f"licences not accepted yet: {'; '.join(told)}; if you accept, set PREDICTOR_ACCEPTED_LICENCES={accepted}"
    )
