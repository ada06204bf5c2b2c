"""What is on a screen: frames of a Neovim user interface or of a terminal, and pictures of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

GHOST = "#7a8699"
"""The colour of suggestions in tests, used for nothing else."""
FOREGROUND, BACKGROUND = "#d7dae0", "#1e2127"
FONTS = (
    "/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf",
    "/usr/share/fonts/TTF/DejaVuSansMono.ttf",
    "/System/Library/Fonts/Menlo.ttc",
)
FONT_SIZE = 15
CELL_WIDTH, CELL_HEIGHT = 9, 19


@dataclass(frozen=True, slots=True)
class Cell:
    """One place on the screen."""

    text: str = " "
    foreground: str = FOREGROUND
    background: str = BACKGROUND


@dataclass(frozen=True, slots=True)
class Frame:
    """A whole screen, as it was shown."""

    rows: tuple[tuple[Cell, ...], ...]
    cursor: tuple[int, int]

    @property
    def lines(self) -> list[str]:
        return ["".join(cell.text for cell in row).rstrip() for row in self.rows]

    @property
    def text(self) -> str:
        return "\n".join(self.lines).rstrip()

    @property
    def ghost(self) -> str:
        """The suggestion that is shown, line by line."""
        shown = (
            "".join(cell.text for cell in row if cell.foreground == GHOST).rstrip()
            for row in self.rows
        )
        return "\n".join(line for line in shown if line)

    def save(self, path: Path) -> None:
        """Write a picture, and the text beside it."""
        path.with_suffix(".txt").write_text(f"{self.text}\n", encoding="utf-8")
        self.picture().save(path)

    def picture(self):
        """Return a picture."""
        from PIL import Image, ImageDraw  # noqa: PLC0415  (installed by the tests)

        font = _font()
        size = (len(self.rows[0]) * CELL_WIDTH, len(self.rows) * CELL_HEIGHT)
        image = Image.new("RGB", size, BACKGROUND)
        draw = ImageDraw.Draw(image)
        for y, row in enumerate(self.rows):
            for x, cell in enumerate(row):
                place = (x * CELL_WIDTH, y * CELL_HEIGHT)
                if cell.background != BACKGROUND:
                    end = (place[0] + CELL_WIDTH - 1, place[1] + CELL_HEIGHT - 1)
                    draw.rectangle((*place, *end), fill=cell.background)
                if cell.text.strip():
                    draw.text(place, cell.text, font=font, fill=cell.foreground)
        y, x = self.cursor
        left, top = x * CELL_WIDTH, y * CELL_HEIGHT
        draw.rectangle((left, top, left + 1, top + CELL_HEIGHT - 1), fill="#e5c07b")
        return image


def save_recording(file: Path, shots, colours: int = 64) -> None:
    """Write an animation of pictures of one size, each with its milliseconds."""
    from PIL import Image  # noqa: PLC0415  (installed by the tests)

    pictures = [picture for picture, _ in shots]
    width, height = pictures[0].size
    strip = Image.new("RGB", (width, height * len(pictures)))
    for number, picture in enumerate(pictures):
        strip.paste(picture, (0, height * number))
    # With a palette for each, colours would flicker.
    palette = strip.quantize(colours)
    first, *others = (picture.quantize(palette=palette, dither=0) for picture in pictures)
    durations = [milliseconds for _, milliseconds in shots]
    first.save(file, save_all=True, append_images=others, duration=durations, loop=0)


def _font():
    from PIL import ImageFont  # noqa: PLC0415

    for path in FONTS:
        if Path(path).is_file():
            return ImageFont.truetype(path, FONT_SIZE)
    return ImageFont.load_default(FONT_SIZE)


class Grid:
    """Follows the redraw events of a Neovim user interface; each flush gives a frame."""

    def __init__(self) -> None:
        self.frames: list[Frame] = []
        self._cells: list[list[tuple[str, int]]] = []
        self._cursor = (0, 0)
        self._colours: dict[int, tuple[str, str]] = {}

    def redraw(self, batches) -> None:
        for name, *events in batches:
            handle = getattr(self, f"_on_{name}", None)
            if handle is not None:
                for event in events:
                    handle(*event)

    def _on_grid_resize(self, _grid, width, height):
        self._cells = [[(" ", 0)] * width for _ in range(height)]

    def _on_grid_clear(self, _grid):
        self._cells = [[(" ", 0)] * len(row) for row in self._cells]

    def _on_grid_cursor_goto(self, _grid, row, column):
        self._cursor = (row, column)

    def _on_hl_attr_define(self, identity, attributes, *_):
        foreground = _hex(attributes.get("foreground"), FOREGROUND)
        background = _hex(attributes.get("background"), BACKGROUND)
        if attributes.get("reverse"):
            foreground, background = background, foreground
        self._colours[identity] = (foreground, background)

    def _on_grid_line(self, _grid, row, column, cells, *_):
        highlight = 0
        for text, *more in cells:
            highlight = more[0] if more else highlight
            times = more[1] if len(more) > 1 else 1
            self._cells[row][column : column + times] = [(text, highlight)] * times
            column += times

    def _on_grid_scroll(self, _grid, top, bottom, left, right, rows, _columns):
        order = range(top, bottom) if rows > 0 else range(bottom - 1, top - 1, -1)
        for row in order:
            if top <= row + rows < bottom:
                self._cells[row][left:right] = self._cells[row + rows][left:right]

    def _on_flush(self, *_):
        rows = tuple(
            tuple(Cell(text, *self._colours.get(colour, ())) for text, colour in row)
            for row in self._cells
        )
        self.frames.append(Frame(rows, self._cursor))


def _hex(colour, default):
    return default if colour is None else f"#{colour:06x}"


def frame_of(screen) -> Frame:
    """Return what a pyte screen shows."""
    rows = tuple(
        tuple(_cell(screen.buffer[y][x]) for x in range(screen.columns))
        for y in range(screen.lines)
    )
    return Frame(rows, (screen.cursor.y, screen.cursor.x))


def _cell(char) -> Cell:
    foreground = _terminal_colour(char.fg, FOREGROUND)
    background = _terminal_colour(char.bg, BACKGROUND)
    if char.reverse:
        foreground, background = background, foreground
    return Cell(char.data, foreground, background)


def _terminal_colour(name, default):
    return f"#{name}" if len(name) == 6 and name != "yellow" else default
