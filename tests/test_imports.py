"""The order of the house: who imports whom, and what an import loads."""

import ast
import graphlib
import subprocess
import sys

import pytest
from conftest import PROJECT

ORDER = ("support", "dataset", "autoencoder", "benchmarks")  # each may import those before it
FILES = [PROJECT / "dataset.py", PROJECT / "autoencoder.py"]
FILES += sorted((PROJECT / "support").rglob("*.py")) + sorted((PROJECT / "benchmarks").glob("*.py"))
SLOW = {"keras", "tensorflow", "matplotlib", "scipy", "sklearn", "requests", "PIL"}


def module(path):
    parts = path.relative_to(PROJECT).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


MODULES = {module(path): path for path in FILES}


def imports(path):
    """The modules of the project that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}, line {node.lineno}: a relative import"
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names & set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_imports_point_one_way(name):
    own = ORDER.index(name.split(".")[0])
    for imported in imports(MODULES[name]):
        assert ORDER.index(imported.split(".")[0]) <= own, imported


def test_there_is_no_circle():
    packages = {"support"}  # each of its modules imports it
    graph = {name: imports(path) - packages for name, path in MODULES.items()}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError


@pytest.mark.parametrize("name", ["dataset", "autoencoder"])
def test_an_import_loads_nothing_slow(name):
    code = f"import sys; import {name}; print({SLOW!r} & set(sys.modules))"
    command = [sys.executable, "-c", code]
    assert subprocess.check_output(command, cwd=PROJECT, text=True) == "set()\n"
