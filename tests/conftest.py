"""What all tests share."""

import os

import pytest

from heliostat.testing.browser import chromium

__all__ = ["chromium"]

# Torch on two cores is slower with two threads than with one, and tests run beside Ray workers.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")  # they leave files open: a warning, an error
os.environ.setdefault("PYTHONWARNINGS", "ignore")  # of subprocesses; this process turns warnings into errors


@pytest.fixture
def log_url(tmp_path):
    return f"sqlite:///{tmp_path / 'runs.db'}"


@pytest.fixture(scope="session")
def ray_cluster():
    """A private local cluster of two CPUs for the whole test session."""
    import ray

    from heliostat import cluster

    cluster.connect()
    yield ray
    ray.shutdown()
