"""The order of the house: who imports whom, what an import loads, and how long files may be."""

import ast
import subprocess
import sys

import pytest
from conftest import PROJECT

SCRIPTS = [PROJECT / "dataset.py", PROJECT / "autoencoder.py"]
SUPPORT = sorted((PROJECT / "support").glob("*.py"))
PAGES = [PROJECT / "support" / name for name in ("explorer.html", "network.js", "look.css")]
BENCHMARKS = sorted((PROJECT / "benchmarks").glob("*.py"))
PROGRAM = [*SCRIPTS, *SUPPORT, *BENCHMARKS]
ORDER = ("support", "dataset", "autoencoder", "benchmarks")  # each may import those before it
SHARED = {"files", "console"}  # what the modules of support/ import of each other
SLOW = {"keras", "tensorflow", "matplotlib", "sklearn", "faiss", "requests"}
MOST_LINES = {"autoencoder.py": 450, "dataset.py": 380, "support/geodesic.py": 300}
MOST_LINES |= {"support/explorer.py": 150, "support/explorer.html": 500}
MOST_LINES_OF_SUPPORT = 250
MOST_LINES_OF_BENCHMARKS = 600
MOST_LINES_OF_FUNCTION = 40


def name(path):
    return str(path.relative_to(PROJECT))


def line_count(path):
    return len(path.read_text("utf-8").splitlines())


def tree(path):
    return ast.walk(ast.parse(path.read_text("utf-8")))


def imports(path):
    """The dotted names that a file imports, anywhere in it: `from a import b` is a.b."""
    names = set()
    for node in tree(path):
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
        first, *rest = imported.split(".")
        if first == own == "support":
            assert rest[0] in SHARED
        elif first in ORDER:
            assert ORDER.index(first) < ORDER.index(own), imported


@pytest.mark.parametrize(
    "modules", ["dataset", "autoencoder", ", ".join(f"support.{path.stem}" for path in SUPPORT)]
)
def test_an_import_loads_nothing_slow_and_leaves_ctrl_c_alone(modules):
    code = f"import signal, sys; before = signal.getsignal(signal.SIGINT); import {modules}; "
    code += f"print({SLOW!r} & set(sys.modules), signal.getsignal(signal.SIGINT) is before)"
    command = [sys.executable, "-c", code]
    assert subprocess.check_output(command, cwd=PROJECT, text=True) == "set() True\n"


@pytest.mark.parametrize("path", [*SCRIPTS, *SUPPORT, *PAGES], ids=name)
def test_no_file_is_long(path):
    assert line_count(path) <= MOST_LINES.get(name(path), MOST_LINES_OF_SUPPORT)


def test_the_benchmarks_are_short():
    assert sum(map(line_count, BENCHMARKS)) <= MOST_LINES_OF_BENCHMARKS


@pytest.mark.parametrize("path", PROGRAM, ids=name)
def test_no_function_is_long(path):
    functions = [node for node in tree(path) if isinstance(node, ast.FunctionDef)]
    lines = [(node.name, node.end_lineno - node.lineno + 1) for node in functions]
    assert [(f, n) for f, n in lines if n > MOST_LINES_OF_FUNCTION] == []
