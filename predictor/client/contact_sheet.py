"""One picture that shows what happened: source, destination and result side by side, faces numbered."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from PIL import Image, ImageDraw, ImageFont, ImageOps

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont

_PAPER, _INK, _GREY, _RULE, _ACCENT = "#ffffff", "#16181d", "#6b7280", "#e5e7eb", "#e11d48"
_MARGIN, _GUTTER = 48, 28
_COLUMNS = (340, 680, 680)
_TALLEST = 480
_HEADINGS = ("source", "destination, faces as the detect model numbers them", "result")
_WIDTH = 2 * _MARGIN + sum(_COLUMNS) + 2 * _GUTTER


@dataclass(frozen=True, slots=True)
class Panel:
    """A picture with its words."""

    picture: bytes
    """Encoded, any format that Pillow reads."""
    caption: str
    boxes: Sequence[tuple[int, Sequence[float]]] = ()
    """Faces to frame: the id, and left, top, right, bottom in pixels of the upright picture."""


@dataclass(frozen=True, slots=True)
class Row:
    """One swap."""

    title: str
    source: Panel
    destination: Panel
    result: Panel


def draw_contact_sheet(title: str, rows: Sequence[Row], footer: str) -> Image.Image:
    """Lay the rows out below each other, as wide as three columns and as high as they need."""
    cells = [[_fit(panel, width) for panel, width in zip(_panels(row), _COLUMNS, strict=True)] for row in rows]
    heights = [max(cell.height for cell in row) for row in cells]
    head, row_head, caption, foot = 158, 60, 52, 84
    sheet = Image.new("RGB", (_WIDTH, head + sum(heights) + len(rows) * (row_head + caption) + foot), _PAPER)
    draw = ImageDraw.Draw(sheet)
    _draw_head(draw, title)
    top = head
    for row, row_cells, height in zip(rows, cells, heights, strict=True):
        draw.line([(_MARGIN, top), (_WIDTH - _MARGIN, top)], _RULE, 1)
        draw.text((_MARGIN, top + 14), row.title, _INK, _font(24))
        _draw_row(sheet, row, row_cells, top + row_head)
        top += row_head + height + caption
    draw.line([(_MARGIN, top), (_WIDTH - _MARGIN, top)], _RULE, 1)
    draw.text((_MARGIN, top + 24), footer, _GREY, _font(18))
    return sheet


def save_contact_sheet(path: Path, title: str, rows: Sequence[Row], footer: str) -> None:
    """Draw the sheet and write it; the file's ending says the format."""
    draw_contact_sheet(title, rows, footer).save(path)


def _draw_head(draw: ImageDraw.ImageDraw, title: str) -> None:
    draw.text((_MARGIN, 40), title, _INK, _font(38))
    for left, heading in zip(_lefts(), _HEADINGS, strict=True):
        draw.text((left, 116), heading, _GREY, _font(19))


def _draw_row(sheet: Image.Image, row: Row, cells: Sequence[Image.Image], top: int) -> None:
    draw = ImageDraw.Draw(sheet)
    for left, cell, panel in zip(_lefts(), cells, _panels(row), strict=True):
        sheet.paste(cell, (left, top))
        draw.text((left, top + cell.height + 8), panel.caption, _GREY, _font(18))


def _fit(panel: Panel, width: int) -> Image.Image:
    """Scale a picture into its column and frame its faces there, so that lines are equally thick everywhere."""
    with Image.open(io.BytesIO(panel.picture)) as opened:
        picture = ImageOps.exif_transpose(opened).convert("RGB")
    scale = min(width / picture.width, _TALLEST / picture.height)
    size = (round(picture.width * scale), round(picture.height * scale))
    cell = picture.resize(size, Image.Resampling.LANCZOS)
    for number, box in panel.boxes:
        _draw_box(ImageDraw.Draw(cell), number, [edge * scale for edge in box])
    return cell


def _draw_box(draw: ImageDraw.ImageDraw, number: int, box: Sequence[float]) -> None:
    left, top, right, bottom = box
    draw.rectangle((left, top, right, bottom), outline=_ACCENT, width=2)
    font = _font(18)
    label = str(number)
    width = draw.textlength(label, font) + 12
    foot = max(top, 22.0)
    draw.rectangle((left, foot - 22, left + width, foot), fill=_ACCENT)
    draw.text((left + width / 2, foot - 11), label, _PAPER, font, anchor="mm")


def _panels(row: Row) -> tuple[Panel, Panel, Panel]:
    return row.source, row.destination, row.result


def _lefts() -> list[int]:
    return [_MARGIN + sum(_COLUMNS[:index]) + index * _GUTTER for index in range(len(_COLUMNS))]


def _font(size: int) -> Font:
    return ImageFont.load_default(size)
