"""The command `relineage`: one file a command, each imported when it is called.

Decides which commands there are, and what errors look like: one line that begins with `relineage:` on standard error
and exit code 2, so that code 1 always means that a command has found something; so it is with mistakes of ours, too,
but for the one line. Answers go to standard output, words about them to standard error. What a command does is decided
in its file; importing this package imports nothing but click, so that `relineage digest` works where only the emitter
is installed.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import click

from ..display import printable
from ..errors import ConsumerError

# Name → what `relineage --help` says of it. The command is `command` in the module of that name.
COMMANDS = {
    "consume": "Take events in: files, folders, standard input, Kafka.",
    "trace": "Where something comes from, or what came of it.",
    "verify": "Whether it can be made again, check by check.",
    "replay": "Do a run again: is it reproduced?",
    "why": "Why two results differ: first causes.",
    "diff": "What differs between two runs.",
    "runs": "List the runs.",
    "datasets": "List the datasets.",
    "models": "List the models.",
    "show": "Everything about one thing.",
    "sql": "Ask anything in SQL.",
    "letters": "List the messages that are no events.",
    "status": "What the database holds.",
    "rebuild": "Make the tables again from the stored events.",
    "bundle": "Everything known of one thing, as one file to keep beside it.",
    "digest": "Digest files and folders.",
    "code": "List and tidy the snapshots of code.",
    "store": "Look into the store of contents, take out of it, tidy it.",
    "cache": "What steps have kept of their results, and why a call was computed.",
}
ERROR = 2
INTERRUPTED = 130


class Commands(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        if cmd_name not in COMMANDS:
            return None
        try:
            module = import_module(f".{cmd_name}", __package__)
        except ModuleNotFoundError as error:
            if (error.name or "").startswith("relineage"):
                raise
            raise click.UsageError(
                f"{cmd_name} needs the consumer ({error.name} is not installed): "
                "pip install 'relineage[consumer]'"
            ) from None
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=Commands, context_settings={"max_content_width": 100})
@click.version_option(package_name="relineage", message="relineage %(version)s")
def relineage() -> None:
    """Lineage for AI that can be proved and repeated.

    X is a run id, a name (`features/train`, `fraud/features/train`), with `@version` or not, a job, a digest or the
    first 8 or more hex digits of one, or a file: its content is looked for. `run:`, `job:`, `dataset:` or `digest:` in
    front say which is meant. A bundle stands for what it is of.

    Questions first take in what is new in `.relineage/events`. The folder is found upwards from the working directory.
    Errors end with code 2.
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    Args:
        arguments: Default: those of the process.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal that is not UTF-8 still gets an answer
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine())
    log = logging.getLogger("relineage")
    log.handlers = [handler]
    log.setLevel(logging.INFO)
    log.propagate = False
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    try:
        code = relineage.main(arguments, prog_name="relineage", standalone_mode=False)
    except click.Abort:
        return INTERRUPTED
    except click.ClickException as error:
        text = printable(error.format_message())
        context = getattr(error, "ctx", None)
        if isinstance(error, click.exceptions.NoArgsIsHelpError):
            click.echo(error.message, err=True)
        elif context is not None:
            _complain(f"{text} ({context.command_path} --help)")
        else:
            _complain(text)
        return ERROR
    except ConsumerError as error:
        _complain("\n".join(printable(line) for line in str(error).split("\n")))
        return ERROR
    except Exception as error:
        # Code 1, with which Python ends, would say that something was found.
        if "duckdb" not in type(error).__module__:
            traceback.print_exc()
            return ERROR
        _complain(f"the database gives no answer: {printable(str(error).partition(chr(10))[0])}")
        return ERROR
    return code if isinstance(code, int) else 0


def _complain(text: str) -> None:
    click.echo(f"relineage: {text}", err=True)


class _OneLine(logging.Formatter):
    """Log records as our other words on standard error."""

    def format(self, record: logging.LogRecord) -> str:
        return f"relineage: {printable(record.getMessage())}"
