"""README.md is true: its tables name every command and option, its example runs."""

import re

import click
import pytest
from conftest import PROJECT

import autoencoder
import dataset

README = (PROJECT / "README.md").read_text("utf-8")
COMMANDS = [
    (name, command)
    for script, cli in (("dataset.py", dataset.cli), ("autoencoder.py", autoencoder.cli))
    for name, command in ((f"{script} {n}", c) for n, c in cli.commands.items())
]


@pytest.mark.parametrize(("name", "command"), COMMANDS)
def test_every_option_stands_in_the_table(name, command):
    _, _, section = README.partition(f"`python {name}`:")
    rows = re.match(r"[^|]*((?:\|.*\n)*)", section).group(1).splitlines()[2:]
    told = {}
    for row in rows:
        options, default, what = (cell.strip() for cell in row.strip("|").split("|"))
        assert what
        told |= dict.fromkeys(re.findall(r"--[a-z-]+", options), default.strip("`"))
    assert sorted(told) == sorted(opt for p in command.params for opt in p.opts)
    defaults = command.make_context(name, [], resilient_parsing=True).params
    for parameter in command.params:
        default = defaults[parameter.name]
        if default not in (None, False) and not isinstance(default, tuple):
            assert told[parameter.opts[0]] == str(default), parameter.name


@pytest.mark.parametrize(("name", "command"), COMMANDS)
def test_every_command_has_help(name, command):
    text = command.get_help(click.Context(command, info_name=name))
    assert command.help
    for parameter in command.params:
        assert parameter.help, parameter.name
        assert parameter.opts[0] in text


def test_the_example_runs(trained, characters, monkeypatch, tmp_path):
    example = re.search(r"<!-- example -->\n```python\n(.*?)```", README, re.DOTALL).group(1)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/default").symlink_to(trained[0])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_ROOT", str(characters))
    names = {}
    exec(example, names)
    assert names["codes"].shape == (235, 32)
    assert names["images"].shape == (235, 28, 28, 1)
    assert (tmp_path / "exported/saved_model.pb").exists()


def test_pictures_are_there():
    for name in re.findall(r"\]\((images/[^)]+)\)", README):
        assert (PROJECT / name).stat().st_size < 300_000
