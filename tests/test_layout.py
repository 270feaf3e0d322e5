"""The three source roots never shadow anything."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE_ROOTS = ("platform", "searchers", "trackers")


@pytest.mark.parametrize("folder", SOURCE_ROOTS)
def test_source_roots_are_not_packages(folder):
    assert not (ROOT / folder / "__init__.py").exists()


@pytest.mark.parametrize("folder", SOURCE_ROOTS)
def test_each_root_holds_one_typed_package(folder):
    packages = [path for path in (ROOT / folder).iterdir() if path.is_dir() and path.name != "__pycache__"]
    assert len(packages) == 1
    assert (packages[0] / "py.typed").exists()


def test_the_standard_librarys_platform_is_found_from_the_repository_root():
    code = "import platform; print(platform.system())"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == os.uname().sysname


@pytest.mark.ray
def test_the_standard_librarys_platform_is_found_in_a_ray_worker_with_this_working_dir(tmp_path):
    code = (
        "import ray\n"
        "from heliostat import cluster\n"
        "excludes = ['.git', '.venv', '*.db', '.mypy_cache', '.hypothesis', 'tests']\n"
        "cluster.connect(runtime_env={'working_dir': '.', 'excludes': excludes})\n"
        "@ray.remote\n"
        "def where():\n"
        "    import platform\n"
        "    return platform.system()\n"
        "print(ray.get(where.remote()))\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    assert found.stdout.strip().splitlines()[-1] == os.uname().sysname
