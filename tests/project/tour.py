"""Reads the tour as a person would: writes the files that it shows, types the commands in it."""

from __future__ import annotations

import re
from dataclasses import dataclass

FENCE = re.compile(r"(?ms)^( *)```(?P<head>[^\n]*)\n(?P<body>.*?)^\1```$")


@dataclass(frozen=True)
class File:
    """A fenced block with a `title`: a file of that name and text."""

    name: str
    text: str


@dataclass(frozen=True)
class Command:
    """A line after `$ ` in a `console` block, and the lines that it shows as the answer."""

    line: str
    shown: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """What a comment at the end of the line says, such as `# exit code 3`; else 0."""
        said = re.search(r"# exit code (\d+)$", self.line)
        return int(said[1]) if said else 0


def read_tour(page: str) -> list[File | Command]:
    """The files and commands of a Markdown page in their order."""
    steps: list[File | Command] = []
    for fence in FENCE.finditer(page):
        body = re.sub(rf"(?m)^{fence[1]}", "", fence["body"])
        title = re.search(r'title="([^"]+)"', fence["head"])
        if title:
            steps.append(File(title[1], body))
        elif fence["head"].split()[:1] == ["console"]:
            steps += _commands(body)
    return steps


def _commands(block: str) -> list[Command]:
    joined = block.replace("\\\n", " ")
    parts = re.split(r"(?m)^\$ (.+)$", joined)
    return [
        Command(line.strip(), tuple(filter(str.strip, shown.splitlines())))
        for line, shown in zip(parts[1::2], parts[2::2], strict=True)
    ]


def lacking(shown: tuple[str, ...], output: str) -> list[str]:
    """The lines shown that the output does not have; `...` stands for anything in a line."""
    printed = [_squeeze(line) for line in output.splitlines()]
    return [
        line
        for line in shown
        if line.strip() != "..." and not any(_pattern(line).search(found) for found in printed)
    ]


def _pattern(line: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, _squeeze(line).split("..."))))


def _squeeze(line: str) -> str:
    return " ".join(line.split())
