"""Imports go in one direction, and the light parts stay light."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def loaded_after(code):
    """The names of sys.modules in a fresh Python after this code."""
    code = f"{code}\nimport sys\nprint(*sys.modules)"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_no_module_imports_against_the_direction_of_the_layers():
    lint = pytest.importorskip("importlinter.cli")
    assert lint
    call = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    answer = subprocess.run([*call, "--no-cache"], cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "1 kept, 0 broken" in answer.stdout


@pytest.mark.parametrize("module", ["graphrec", "graphrec.cli"])
def test_importing_the_package_or_its_commands_does_not_load_torch(module):
    heavy = {"torch", "torch_geometric", "faiss", "open_clip", "sklearn", "scipy", "pandas", "numpy", "rich.console"}
    assert not loaded_after(f"import {module}") & (heavy - {"rich.console"})


def test_reading_data_does_not_load_torch_or_faiss():
    assert not loaded_after("import graphrec.data.loading, graphrec.data.check") & {"torch", "faiss"}


def test_the_public_names_are_there():
    import graphrec

    for name in graphrec.__all__:
        assert getattr(graphrec, name).__name__ == name
    with pytest.raises(AttributeError, match="no_such_name"):
        graphrec.no_such_name  # noqa: B018
