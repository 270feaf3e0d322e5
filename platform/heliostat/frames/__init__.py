"""Runs as tables: pandas out and in, CSV and Parquet."""

from heliostat.frames.files import csv_text, from_csv, from_parquet, parquet_bytes, to_csv, to_parquet
from heliostat.frames.reading import curves, frame_of, runs
from heliostat.frames.recording import log_frame

__all__ = [
    "csv_text",
    "curves",
    "frame_of",
    "from_csv",
    "from_parquet",
    "log_frame",
    "parquet_bytes",
    "runs",
    "to_csv",
    "to_parquet",
]
