"""Text that came in events, made safe to show to people.

Names, reasons and values are whatever some producer sent: a terminal must not obey them. Decides which characters
are shown as an escape. Leaves HTML and rich's markup to those who write these.
"""

from __future__ import annotations

import unicodedata

# Line and paragraph separators, controls, surrogates, and what is invisible or turns the direction of the text.
_ESCAPED = {"Cc", "Cf", "Cs", "Zl", "Zp"}
# Scripts and emoji are written with these two joiners.
_KEPT = {"\u200c", "\u200d"}


def printable(text: str) -> str:
    r"""The text on one line: a line break becomes `\n`, an escape `\x1b`, a right-to-left override `\u202e`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character in _KEPT or unicodedata.category(character) not in _ESCAPED:
        return character
    return character.encode("unicode_escape").decode("ascii")
