"""The commands of a page, as its blocks have them.

A block marked `sh` or `python` is to be run; one marked `text` right behind it is what it prints on standard output. A block marked
`console` needs what a run of the page has not, or takes too long, and names behind the mark what runs it instead.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

BLOCK = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


@dataclass
class Step:
    """Commands, the line that they begin at, the heading above them, and what they print, if that is said."""

    line: int
    section: str
    commands: str
    expected: str | None = None


@dataclass
class Console:
    """Commands that are not run with their page, and what runs them."""

    line: int
    run_by: str


def consoles_of(text: str) -> list[Console]:
    """The blocks of a page that are not run with it."""
    found = [match for match in BLOCK.finditer(text) if match[1] == "console"]
    return [Console(text.count("\n", 0, match.start()) + 1, match[2].strip()) for match in found]


def steps_of(text: str) -> list[Step]:
    """The blocks of a page that are to be run, in their order."""
    steps: list[Step] = []
    section, end_of_last, end_of_any = "", -1, 0
    for match in BLOCK.finditer(text):
        kind, _, content = match.groups()
        # Not inside of blocks, where a comment looks like a heading.
        for heading in HEADING.finditer(text, end_of_any, match.start()):
            section = heading[1]
        end_of_any = match.end()
        between = text[end_of_last : match.start()] if end_of_last >= 0 else ""
        if kind == "python":
            content = f"python3 - <<'END'\n{content}END\n"
        if kind in ("sh", "python"):
            steps.append(Step(text.count("\n", 0, match.start()) + 2, section, content))
            end_of_last = match.end()
        elif kind == "text" and steps and end_of_last >= 0 and not between.strip():
            steps[-1].expected = content
            end_of_last = -1
    return steps
