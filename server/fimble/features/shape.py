"""The shape of a suggestion: nothing, a line or what is missing in it, a block; by the cursor."""

from __future__ import annotations

from fnmatch import fnmatch
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from fimble.check.place import Place, closes, joins_words, opens, width
from fimble.check.stop import Mode
from fimble.source.lexical import Inside

if TYPE_CHECKING:
    from fimble.settings import Completion as CompletionSettings
    from fimble.source.text import Snapshot


def excluded(snapshot: Snapshot, settings: CompletionSettings) -> bool:
    """Tell whether the settings turn suggestions off for this file."""
    language = snapshot.language
    names = {language.id, *language.lsp_ids}
    path = unquote(urlsplit(snapshot.uri).path)
    return (
        not settings.enabled
        or not names.isdisjoint(settings.disabled_languages)
        or any(fnmatch(path, glob) or fnmatch(path, f"*/{glob}") for glob in settings.exclude)
    )


def splits_word(place: Place) -> bool:
    """Tell whether the cursor stands inside a word."""
    return joins_words(place.before, place.after)


def allowed(where: Inside, settings: CompletionSettings) -> bool:
    """Tell whether the settings let suggestions appear in this kind of text."""
    match where:
        case Inside.COMMENT:
            return settings.in_comments
        case Inside.STRING:
            return settings.in_strings
        case Inside.CODE:
            return True


def choose_mode(
    place: Place,
    settings: CompletionSettings,
    *,
    where: Inside = Inside.CODE,
    manual: bool = False,
) -> Mode:
    """Decide how much is wanted: more than a line only where a body or a statement begins.

    Before other text in the line it is what leads there.
    Asked for by hand (``manual``), a body also follows a finished comment, and blocks may be long.
    """
    one_line_here = where is Inside.STRING or (where is Inside.COMMENT and not manual)
    if settings.multiline == "never" or place.noted or one_line_here:
        return Mode.LINE
    if not closes(place.after):
        return Mode.GAP
    has_body = bool(place.below) and width(place.below[0]) > width(place.before)
    if place.blank and has_body and place.before:
        return Mode.LINE
    if not place.blank and opens(place.before, place.style) and not has_body:
        return Mode.BODY
    if manual or (place.blank and _is_empty_body(place)):
        return Mode.FILL
    return Mode.BLOCK if place.blank or settings.multiline == "always" else Mode.LINE


def _is_empty_body(place: Place) -> bool:
    """Tell whether the blank line of the cursor is all there is of a body just opened."""
    depth = width(place.before)
    opened = opens(place.above, place.style) and width(place.above) < depth
    return opened and (not place.below or width(place.below[0]) < depth)
