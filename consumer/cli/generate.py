"""`python -m relineage.consumer.cli.generate`: writes docs/commands.md from the help of every command.

A tool for a checkout of the repository; nothing imports it but its test, which compares what is committed with
`page()`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import click

from . import COMMANDS, relineage

PAGE: Final = Path(__file__).parents[2] / "docs" / "commands.md"

_COLUMNS = 100
_HEAD = """\
# The commands

Written by `python -m relineage.consumer.cli.generate` from the help of each command.

Answers go to standard output, words about them to standard error. `--format json` is for programs: times are UTC in
ISO 8601, and nothing is left out unless `--limit` says so. A table or tree that was cut says so.

| exit code | means |
|---|---|
| 0 | an answer; `verify`: nothing failed or is unknown; `store verify`: no damage; `why`, `diff`, `letters`: nothing |
| 1 | `verify`: a check failed or is unknown; `store verify`: damage; `why`, `diff`: a difference; `letters`: a letter;\
 `cache why-miss`: a miss |
| 1 | `bundle`: it is made, and something could not be had |
| 2 | an error: wrong usage, an X that is unknown or several things, a database, source or bundle that cannot be read |
| 130 | interrupted |

`replay` ends with 0 where the run is reproduced, 1 where it is not, and 2 where it could not be replayed.
"""


def page() -> str:
    """The whole page, as Markdown."""
    root = click.Context(
        relineage, info_name="relineage", terminal_width=_COLUMNS, max_content_width=_COLUMNS
    )
    parts = [_HEAD, _block("relineage", relineage.get_help(root))]
    for name in COMMANDS:
        command = relineage.get_command(root, name)
        assert command is not None
        context = click.Context(
            command, info_name=name, parent=root, terminal_width=_COLUMNS, max_content_width=_COLUMNS
        )
        parts.append(_block(f"relineage {name}", command.get_help(context)))
        for inner, inside in getattr(command, "commands", {}).items():
            context_inside = click.Context(
                inside, info_name=inner, parent=context, terminal_width=_COLUMNS, max_content_width=_COLUMNS
            )
            parts.append(_block(f"relineage {name} {inner}", inside.get_help(context_inside)))
    return "\n".join(parts)


def _block(title: str, text: str) -> str:
    return f"## {title}\n\n```text\n{text.rstrip()}\n```\n"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
