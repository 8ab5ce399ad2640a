"""Notices, progress bars, errors in one line, and exit codes."""

import contextlib
import os
import sys

import click

CONTEXT_SETTINGS = {"show_default": True, "help_option_names": ["-h", "--help"]}


class InputError(ValueError):
    """Bad input: a file, a text or an option. The message says what to do."""


def notice(message):
    """Prints progress or a notice to stderr; stdout is kept for results."""
    click.echo(message, err=True)


@contextlib.contextmanager
def progress_bar(label, length, items=None):
    """Yields a progress bar on stderr; it is hidden without a label, or where that is no terminal.

    with progress_bar("reading", len(lines), lines) as bar:
        for line in bar: ...

    Without items, bar.update(n) says that n more steps of `length` are done.
    """
    bar = click.progressbar(
        items,
        length,
        label,
        hidden=label is None or not sys.stderr.isatty(),
        file=sys.stderr,
        update_min_steps=length // 100,  # drawing takes longer than many a step
    )
    with bar:
        yield bar
        bar.finish()
        bar.render_progress()


class Commands(click.Group):
    """A group whose commands fail in one line: exit 1 for bad input, 130 after Ctrl-C.

    Any other exception is a bug and keeps its traceback.
    """

    def invoke(self, ctx):
        os.environ["MPLBACKEND"] = "agg"  # a command opens no window, whatever a notebook has set
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # as by `| head`: click ends quietly
            raise
        except (InputError, OSError) as error:
            raise click.ClickException(" ".join(str(error).splitlines())) from error
        except KeyboardInterrupt:
            notice("Interrupted.")
            sys.exit(130)


def must_end_in(*suffixes):
    """A callback of a click option: the file's name must end in one of these."""

    def check(ctx, param, value):
        if value and not value.lower().endswith(suffixes):
            raise click.BadParameter(f"expected a name that ends in {' or '.join(suffixes)}")
        return value

    return check
