"""README.md is true: it shows the program's own help, names every command, and its example runs."""

import re

import click
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


HELPS = [*(f"autoencoder.py {name}" for name in ("train", "morph", "explore")), "dataset.py"]


@pytest.mark.parametrize("words", HELPS)
def test_help_is_the_programs_own(words, monkeypatch):
    monkeypatch.delenv("DATA_ROOT", raising=False)
    script, *names = words.split()
    width = {"terminal_width": 78}  # what click uses of 80 columns
    result = CliRunner().invoke(SCRIPTS[script], [*names, "--help"], prog_name=script, **width)
    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: {words} [OPTIONS]")
    (block,) = re.findall(rf"<!-- help: {words} -->\n```\n(.*?)```\n", README, re.DOTALL)
    assert block == result.output


@pytest.mark.parametrize("name", [name for name, _ in COMMANDS])
def test_every_command_is_named(name):
    assert re.search(rf"\bpython {re.escape(name)}\b", README)


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


def test_scripts_are_there():
    for name in re.findall(r"\b(?:benchmarks|support)/\w+\.\w+", README):
        assert (PROJECT / name).exists(), name


def test_it_is_short():
    assert len(README.splitlines()) <= 220
    assert all(
        len(line) <= 120 or line.startswith("python3 -m venv") for line in README.splitlines()
    )
