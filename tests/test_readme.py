"""README.md is true: it names every command, its examples run, and the files it shows exist."""

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


@pytest.mark.parametrize(("name", "command"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_command_is_named_and_has_help(name, command):
    assert re.search(rf"\bpython {re.escape(name)}\b", README)
    script, command_name = name.split()
    text = CliRunner().invoke(SCRIPTS[script], [command_name, "--help"]).output
    assert command.help
    for parameter in command.params:
        if parameter.param_type_name == "argument":
            assert parameter.metavar in text
        else:
            assert parameter.help, parameter.name
            assert parameter.opts[0] in text


def test_the_examples_run(trained, monkeypatch, tmp_path):
    examples = re.findall(r"<!-- example -->\n```python\n(.*?)```", README, re.DOTALL)
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs/default").symlink_to(trained[0])
    monkeypatch.chdir(tmp_path)
    names = {}
    for example in examples:
        exec(example, names)
        assert names["codes"].shape == (235, 32)
        assert names["images"].shape[:3] == (235, 28, 28)
    assert len(examples) == 2


def test_files_that_it_names_are_there():
    for name in re.findall(r"\]\((images/[^)]+)\)", README):
        assert (PROJECT / name).stat().st_size < 300_000
    for name in re.findall(r"\b(?:benchmarks|support)/[\w/]+\.\w+", README):
        assert (PROJECT / name).exists(), name
