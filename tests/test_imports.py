"""The order of the house: who imports whom, and what an import loads."""

import ast
import subprocess
import sys

import pytest
from conftest import PROJECT

SUPPORT = sorted((PROJECT / "support").rglob("*.py"))
BENCHMARKS = sorted((PROJECT / "benchmarks").glob("*.py"))
PROGRAM = [PROJECT / "dataset.py", PROJECT / "autoencoder.py", *SUPPORT, *BENCHMARKS]
ORDER = ("support", "dataset", "autoencoder", "benchmarks")  # each may import those before it
SLOW = {"keras", "tensorflow", "matplotlib", "scipy", "sklearn", "requests"}


def name(path):
    return str(path.relative_to(PROJECT))


def imports(path):
    """The dotted names that a file imports, anywhere in it: `from a import b` is a.b."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name(path)}, line {node.lineno}: a relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("path", PROGRAM, ids=name)
def test_imports_point_one_way(path):
    own = name(path).split("/")[0].removesuffix(".py")
    for imported in imports(path):
        first = imported.split(".")[0]
        if first in ORDER and first != own:
            assert ORDER.index(first) < ORDER.index(own), imported


@pytest.mark.parametrize("modules", ["dataset", "autoencoder"])
def test_an_import_loads_nothing_slow(modules):
    code = f"import sys; import {modules}; print({SLOW!r} & set(sys.modules))"
    command = [sys.executable, "-c", code]
    assert subprocess.check_output(command, cwd=PROJECT, text=True) == "set()\n"
