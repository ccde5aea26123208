"""The commands of a page, as its blocks have them.

A block marked `sh` is to be run; one marked `text` right behind it is what it prints on standard output. Blocks marked `console`
are for readers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


@dataclass
class Step:
    """Commands, the line that they begin at, the heading above them, and what they print, if that is said."""

    line: int
    section: str
    commands: str
    expected: str | None = None


def steps_of(text: str) -> list[Step]:
    steps: list[Step] = []
    section, end_of_last, end_of_any = "", -1, 0
    for match in BLOCK.finditer(text):
        kind, content = match.groups()
        # Not inside of blocks, where a comment looks like a heading.
        for heading in HEADING.finditer(text, end_of_any, match.start()):
            section = heading[1]
        end_of_any = match.end()
        between = text[end_of_last : match.start()] if end_of_last >= 0 else ""
        if kind == "sh":
            steps.append(Step(text.count("\n", 0, match.start()) + 2, section, content))
            end_of_last = match.end()
        elif kind == "text" and steps and end_of_last >= 0 and not between.strip():
            steps[-1].expected = content
            end_of_last = -1
    return steps
