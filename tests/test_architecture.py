"""The layout shows the architecture; this file keeps it so."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {
    "heliostat": ROOT / "platform" / "heliostat",
    "heliostat_searchers": ROOT / "searchers" / "heliostat_searchers",
    "heliostat_trackers": ROOT / "trackers" / "heliostat_trackers",
}

# Imports inside the core may only go to a unit on the same line or an earlier one.
ORDER = [
    {"errors", "processes"},
    {"schema", "unprinted"},
    {"space"},
    {"metrics"},
    {"trial", "failures"},
    {"experiment", "early_stopping", "outcome"},
    {"writes", "tune_results", "tune_controller", "isolation", "garbage", "query"},
    {"ports"},
    {"registry", "analysis", "objects"},
    {"figures", "convergence"},
    {"engine", "cluster", "placement", "report"},
    {"notebook", "reports"},
    {"tracking", "frames", "imports"},
    {"sweep", "progress"},
    {"loop", "demo"},
    {"steering", "experiment_calls"},
    {"service", "pages", "client", "inspection"},
    {"cli", "testing"},
]
# Sweeps are sugar of the experiment, which builds them; each knows the other by name only when it runs.
LATE = {("sweep", "loop"), ("loop", "sweep"), ("loop", "report"), ("trial", "notebook")}

# Where a heavy dependency may be imported at all, by package or unit of the core.
HOMES = {
    "ray": {"heliostat_searchers.tune", "heliostat_searchers.schedulers", "heliostat_searchers.thinker",
            "heliostat_searchers.shared_thinking", "heliostat_searchers.stopper",
            "heliostat_trackers.tune", "heliostat_trackers.worker", "heliostat_trackers.head",
            "heliostat_trackers.importers",
            "heliostat.cluster", "heliostat.sweep", "heliostat.demo", "heliostat.service",
            "heliostat.steering", "heliostat.inspection"},
    "sqlalchemy": {"heliostat_trackers"},
    "mlflow": {"heliostat_trackers"},
    "psycopg": {"heliostat_trackers"},
    "optuna": {"heliostat_trackers", "heliostat_searchers.hosted"},
    "hyperopt": {"heliostat_trackers", "heliostat_searchers.hosted"},
    "pandas": {"heliostat.frames", "heliostat_trackers"},
    "pyarrow": {"heliostat.frames", "heliostat.inspection", "heliostat_trackers"},
    "ax": {"heliostat_searchers"},
    "botorch": {"heliostat_searchers"},
    "gpytorch": {"heliostat_searchers"},
    "torch": {"heliostat_searchers"},
    "httpx2": {"heliostat.client"},
    "fastapi": {"heliostat.service", "heliostat.pages"},
    "starlette": {"heliostat.service", "heliostat.pages"},
    "uvicorn": {"heliostat.service"},
    "prometheus_client": {"heliostat.service"},
    "jinja2": {"heliostat.report", "heliostat.pages"},
    "sklearn": {"heliostat.analysis", "heliostat.demo", "heliostat_searchers", "heliostat_trackers.adapters"},
    "click": {"heliostat.cli"},
    "playwright": {"heliostat.testing"},
    "pytest": {"heliostat.testing"},
    "hypothesis": {"heliostat.testing"},
}  # fmt: skip

LONGEST_FILE = 400
LONGEST_FUNCTION = 60


@cache
def sources():
    """Module name → parsed source of every file of the three packages."""
    found = {}
    for package, folder in PACKAGES.items():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder.parent).with_suffix("").parts
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = ast.parse(path.read_text(encoding="utf-8"), str(path))
        assert package in found
    return found


def imports(tree):
    """All modules that a file imports, with whether the import runs when the file is loaded."""
    functions = [node for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))]
    checks = [node for node in ast.walk(tree) if isinstance(node, ast.If)
              and ast.unparse(node.test) == "TYPE_CHECKING"]  # fmt: skip
    later = {id(node) for block in (*functions, *checks) for node in ast.walk(block)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            yield name, id(node) not in later


def unit(module):
    """The first-level unit of a dotted name: ``heliostat.space.wire.read`` → ``heliostat.space``."""
    return ".".join(module.split(".")[:2])


def test_searchers_and_trackers_import_the_core_and_never_each_other():
    for module, tree in sources().items():
        package = module.partition(".")[0]
        forbidden = set(PACKAGES) - {package, "heliostat"}
        found = {name for name, _ in imports(tree) if name.partition(".")[0] in forbidden}
        assert not found, f"{module} imports {found}"


def test_the_core_is_layered():
    rank = {f"heliostat.{name}": place for place, names in enumerate(ORDER) for name in names}
    for module, tree in sources().items():
        if not module.startswith("heliostat."):
            continue
        own = unit(module)
        assert own in rank, f"{own} has no place in ORDER"
        for name, _ in imports(tree):
            other = unit(name)
            pair = (own.removeprefix("heliostat."), other.removeprefix("heliostat."))
            if other in rank and other != own and pair not in LATE:
                assert rank[other] < rank[own] or _same_line(pair), f"{module} imports {name}"


def _same_line(pair):
    return any(set(pair) <= names for names in ORDER)


def test_there_is_no_import_cycle():
    known = sources()
    edges = {}
    for module, tree in known.items():
        targets = set()
        for name, at_load in imports(tree):
            if at_load:
                found = next(
                    (name.rsplit(".", cut)[0] for cut in range(3) if name.rsplit(".", cut)[0] in known), None
                )
                targets |= {found} if found else set()
        edges[module] = targets - {module}
    done, path = set(), []

    def visit(module):
        if module in path:
            pytest.fail(" → ".join([*path[path.index(module) :], module]))
        if module in done:
            return
        path.append(module)
        for target in sorted(edges[module]):
            if not module.startswith(target + "."):  # a package's own files may be loaded by its __init__
                visit(target)
        path.pop()
        done.add(module)

    for module in sorted(edges):
        visit(module)


@pytest.mark.parametrize("library", sorted(HOMES))
def test_heavy_libraries_stay_at_home(library):
    for module, tree in sources().items():
        if any(name.partition(".")[0] == library for name, _ in imports(tree)):
            homes = HOMES[library]
            assert any(module == home or module.startswith(home + ".") for home in homes), (
                f"{module}: {library}"
            )


def test_files_and_functions_stay_short():
    for module, tree in sources().items():
        lines = max((node.end_lineno or 0 for node in tree.body), default=0)
        assert lines <= LONGEST_FILE, f"{module} has {lines} lines"
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                length = (node.end_lineno or 0) - node.lineno
                assert length <= LONGEST_FUNCTION, f"{module}.{node.name} has {length} lines"


def test_no_class_is_deeper_than_two_below_its_root():
    bases = {}
    for tree in sources().values():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                bases[node.name] = [ast.unparse(base).split(".")[-1].split("[")[0] for base in node.bases]

    def depth(name):
        return 1 + max((depth(base) for base in bases.get(name, []) if base in bases), default=0)

    deep = {name: depth(name) for name in bases if depth(name) > 3}
    assert not deep
