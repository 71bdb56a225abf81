"""Figures about the structure of the code: sizes of packages, modules that a request runs through, words.

`python -m tests.support.house [ROOT [DATA]]` prints them for a tree, and for a data folder with a champion the modules
that answer a POST; `tests/test_house.py` holds them to upper bounds.
"""

import ast
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PACKAGES = ("labels", "training", "service")
FOLDERS = (*PACKAGES, "benchmarks", "tests")
WORDS = ("found", "one", "said", "told", "kept", "asked", "anew")
# These two name the words in order to look for them.
_NAMES_THE_WORDS = ("tests/support/house.py", "tests/test_house.py")


def python_files(*folders: str, root: Path = ROOT) -> list[Path]:
    """The Python files of some folders of the repository."""
    return sorted(path for folder in folders or FOLDERS for path in (root / folder).rglob("*.py"))


def lines_of(*folders: str, root: Path = ROOT) -> int:
    return sum(path.read_text(encoding="utf-8").count("\n") for path in python_files(*folders, root=root))


def modules_by_package(root: Path = ROOT) -> dict[str, int]:
    """Number of modules that lie directly in each package, by its dotted name; migrations are left out."""
    counts = Counter(
        ".".join(path.relative_to(root).parts[:-1])
        for path in python_files(*PACKAGES, root=root)
        if path.name != "__init__.py" and "migrations" not in path.parts
    )
    return dict(counts)


def words_per_thousand_lines(root: Path = ROOT) -> dict[str, float]:
    """How often each of `WORDS` stands in 1,000 lines of Python; names are split at underscores."""
    counts: Counter[str] = Counter()
    lines = 0
    for path in python_files(root=root):
        if str(path.relative_to(root)) not in _NAMES_THE_WORDS:
            text = path.read_text(encoding="utf-8")
            lines += text.count("\n")
            counts.update(word for word in re.findall(r"[a-z]+", text.lower()) if word in WORDS)
    return {word: 1000 * counts[word] / lines for word in WORDS}


def names_with_such_words(root: Path = ROOT) -> Iterator[str]:
    """Variables, parameters, attributes and functions named by one of `WORDS`, each with its place."""
    for path in python_files(root=root):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            for name in _names(node):
                if set(name.lower().split("_")) & set(WORDS):
                    yield f"{path.relative_to(root)}:{getattr(node, 'lineno', 0)} {name}"


def _names(node: ast.AST) -> tuple[str, ...]:
    match node:
        case ast.Name(id=name, ctx=ast.Store()) | ast.arg(arg=name) | ast.alias(asname=str(name)):
            return (name,)
        case ast.Attribute(attr=name, ctx=ast.Store()):
            return (name,)
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            # A test's name is a sentence, and a sentence may hold any word.
            return () if name.startswith("test_") else (name,)
        case ast.MatchAs(name=str(name)) | ast.ExceptHandler(name=str(name)):
            return (name,)
    return ()


def loaded_by(module: str, root: Path = ROOT) -> tuple[list[str], int]:
    """Own modules that importing a module loads, and the number of all modules, in a separate process."""
    program = (
        f"import sys; sys.path.insert(0, {str(root)!r}); import {module}; "
        f"own = [m for m in sys.modules if m.partition('.')[0] in {PACKAGES!r}]; "
        "import json; print(json.dumps([sorted(own), len(sys.modules)]))"
    )
    # Elsewhere than in the folder of another tree, whose packages have the same names.
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True, cwd=root)
    own, total = json.loads(done.stdout)
    return own, total


def loads(module: str, other: str) -> bool:
    """Whether importing a module loads another."""
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import {module}; print({other!r} in sys.modules)"
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, text=True, check=True)
    return done.stdout.strip() == "True"


def modules_of_a_post(data: Path, root: Path = ROOT) -> list[str]:
    """Own modules of which a function runs while POST /v1/articles is answered, given a data folder with a champion."""
    program = Path(__file__).with_name("trace_post.py")
    done = subprocess.run(
        [sys.executable, "-P", str(program), str(root)],
        capture_output=True,
        text=True,
        check=True,
        cwd=data,
        env={**os.environ, "FRAMING_DATA_DIR": str(data), "FRAMING_WORKER": "false"},
    )
    modules: list[str] = json.loads(done.stdout.splitlines()[-1])
    return modules


def figures(root: Path = ROOT) -> Mapping[str, Any]:
    """All figures that need no model."""
    packages = modules_by_package(root)
    words = words_per_thousand_lines(root)
    return {
        "modules": sum(packages.values()),
        "deepest package": max(name.count(".") + 1 for name in packages),
        "modules of service/ itself": packages["service"],
        "most modules in a package": max(packages.values()),
        "lines of benchmarks": lines_of("benchmarks", root=root),
        "own modules loaded by service.routes.classify": len(loaded_by("service.routes.classify", root)[0]),
        **{f"{word} per 1,000 lines": round(value, 1) for word, value in words.items()},
        "all these words per 1,000 lines": round(sum(words.values()), 1),
        "variables named by them": len(list(names_with_such_words(root))),
    }


if __name__ == "__main__":
    tree = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT
    for name, value in figures(tree).items():
        print(f"{name}: {value}")
    if len(sys.argv) > 2:
        print(f"modules that answer a POST: {len(modules_of_a_post(Path(sys.argv[2]), tree))}")
