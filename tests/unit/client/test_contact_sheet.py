from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from predictor.client.contact_sheet import Panel, Row, draw_contact_sheet, save_contact_sheet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

BLUE, GREEN, BLACK = (0, 0, 255), (0, 255, 0), (0, 0, 0)
FRAME = (225, 29, 72)


def _panel(
    colour: tuple[int, int, int], size: tuple[int, int] = (200, 200), boxes: Sequence[tuple[int, Sequence[float]]] = ()
) -> Panel:
    encoded = io.BytesIO()
    Image.new("RGB", size, colour).save(encoded, "PNG")
    return Panel(encoded.getvalue(), "a caption", boxes)


def _where(sheet: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of the pixels of one colour."""
    rows, columns = np.nonzero((np.asarray(sheet) == colour).all(axis=2))
    return int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1


def test_source_destination_and_result_stand_side_by_side_and_do_not_overlap() -> None:
    row = Row("a row", _panel(BLUE), _panel(GREEN), _panel(BLACK, (400, 100)))

    sheet = draw_contact_sheet("a title", [row], "a footer")

    source, destination, result = _where(sheet, BLUE), _where(sheet, GREEN), _where(sheet, BLACK)
    assert source[2] < destination[0] < destination[2] < result[0]
    assert source[1] == destination[1] == result[1]


def test_a_picture_keeps_its_proportions_and_fits_its_column() -> None:
    wide, tall = _panel(GREEN, (4000, 1000)), _panel(BLACK, (1000, 4000))

    sheet = draw_contact_sheet("a title", [Row("a row", _panel(BLUE), wide, tall)], "a footer")

    left, top, right, bottom = _where(sheet, GREEN)
    assert abs((right - left) / (bottom - top) - 4) < 0.05
    left, top, right, bottom = _where(sheet, BLACK)
    assert abs((bottom - top) / (right - left) - 4) < 0.05
    assert right <= sheet.width


def test_a_face_is_framed_where_it_is_in_the_scaled_picture() -> None:
    destination = _panel(GREEN, (1360, 400), [(1, (270.0, 200.0, 540.0, 300.0))])

    sheet = draw_contact_sheet("a title", [Row("a row", _panel(BLUE), destination, _panel(BLACK))], "a footer")

    green, frame = _where(sheet, GREEN), _where(sheet, FRAME)
    assert abs(frame[0] - (green[0] + 135)) <= 1
    assert abs(frame[2] - (green[0] + 270)) <= 2
    assert abs(frame[3] - (green[1] + 150)) <= 2


def test_rows_follow_each_other_and_the_sheet_grows() -> None:
    rows = [Row(str(n), _panel(BLUE), _panel(GREEN), _panel(BLACK)) for n in range(2)]

    one, two = draw_contact_sheet("a title", rows[:1], ""), draw_contact_sheet("a title", rows, "")

    assert two.height > one.height + 200
    assert two.width == one.width


def test_the_saved_sheet_is_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "sheet.png"

    save_contact_sheet(path, "a title", [Row("a row", _panel(BLUE), _panel(GREEN), _panel(BLACK))], "a footer")

    with Image.open(path) as picture:
        assert picture.format == "PNG"
