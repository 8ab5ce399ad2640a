"""README.md is true: it shows the program's own help, names every command, and its example runs."""

import re

import pytest
from click.testing import CliRunner
from conftest import PROJECT

import autoencoder
import dataset

README = (PROJECT / "README.md").read_text("utf-8")
SCRIPTS = {"dataset.py": dataset.cli, "autoencoder.py": autoencoder.cli}
COMMANDS = [
    (f"{script} {name}", command)
    for script, cli in SCRIPTS.items()
    for name, command in cli.commands.items()
]
HELP_BLOCKS = re.findall(r"<!-- help: (.*?) -->\n```\n(.*?)```\n", README, re.DOTALL)


@pytest.mark.parametrize(("words", "block"), HELP_BLOCKS, ids=[words for words, _ in HELP_BLOCKS])
def test_help_is_the_programs_own(words, block):
    script, *names = words.split()
    width = {"terminal_width": 78}  # what click uses of 80 columns
    result = CliRunner().invoke(SCRIPTS[script], [*names, "--help"], prog_name=script, **width)
    assert result.exit_code == 0
    assert block == result.output


def test_train_and_morph_are_shown():
    assert {"autoencoder.py train", "autoencoder.py morph"} <= {words for words, _ in HELP_BLOCKS}


@pytest.mark.parametrize("name", [name for name, _ in COMMANDS])
def test_every_command_is_named(name):
    assert re.search(rf"\bpython {re.escape(name)}\b", README)


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_command_has_help(name, command):
    script, command_name = name.split()
    text = CliRunner().invoke(SCRIPTS[script], [command_name, "--help"]).output
    assert command.help
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            assert parameter.name.upper() in text
            continue
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


def test_files_that_it_names_are_there():
    for name in re.findall(r"\]\((images/[^)]+)\)", README):
        assert (PROJECT / name).stat().st_size < 300_000
    for name in re.findall(r"\b(?:benchmarks|support)/\w+\.\w+", README):
        assert (PROJECT / name).exists(), name
