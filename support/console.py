"""Notices, paths on the command line, errors in one line, and exit codes."""

import errno
import os
import shlex
import sys
from pathlib import Path

import click

from support import INSTALL

CONTEXT_SETTINGS = {"show_default": True, "help_option_names": ["-h", "--help"]}
READ_ONLY = (errno.EACCES, errno.EPERM, errno.EROFS)


class InputError(ValueError):
    """Bad input: a file, a text or an option. The message says what to do."""


def notice(message):
    """Prints progress or a notice to stderr; stdout is kept for results."""
    click.echo(message, err=True)


def command_line(script, *words):
    """The text of a command line that runs dataset.py or autoencoder.py, for messages."""
    called = Path(sys.argv[0])
    if called.name in ("dataset.py", "autoencoder.py"):
        script = called.with_name(script)  # the user may stand in another folder
    return shlex.join(["python", *map(str, (script, *words))])


class PathType(click.Path):
    """A path on the command line, as a Path; `~` is expanded.

    endings: the name must end in one of these, in upper or lower case, after at least one letter.
    """

    def __init__(self, *endings, **options):
        super().__init__(path_type=Path, **options)
        self.endings = endings

    def convert(self, value, param, ctx):
        if not str(value):
            self.fail("expected a name, found nothing", param, ctx)
        path = super().convert(os.path.expanduser(value), param, ctx)
        if self.endings and path.suffix.lower() not in self.endings:
            self.fail(f"expected a name that ends in {' or '.join(self.endings)}", param, ctx)
        return path


class Commands(click.Group):
    """A group whose commands fail in one line: exit 1 for bad input, 130 after Ctrl-C.

    Any other exception is a bug and keeps its traceback.
    """

    def invoke(self, ctx):
        os.environ["MPLBACKEND"] = "agg"  # a command opens no window, whatever a notebook has set
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # e.g. `| head`: click ends quietly
            raise
        except (InputError, OSError, MemoryError, ImportError) as error:
            raise click.ClickException(explain(error)) from error
        except KeyboardInterrupt:
            notice("Interrupted.")
            sys.exit(130)


def explain(error):
    """What went wrong and what to do, in one line."""
    message = " ".join(str(error).splitlines())
    if isinstance(error, ImportError):
        return f"{message}: {INSTALL}"
    if isinstance(error, MemoryError):
        return f"not enough memory: {message}"
    if isinstance(error, OSError) and error.errno in READ_ONLY:
        return f"{message}: give another folder with --data-root, --run-dir or --out"
    return message
