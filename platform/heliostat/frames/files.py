"""Runs as CSV and Parquet, and back; both keep missing apart from NaN, numbers from texts, and every digit.

CSV holds times as seconds since the epoch and its cells are those of :func:`heliostat.objects.cell`. Parquet
has typed columns; one whose values share no type holds JSON, and says so in the column's metadata.
"""

from __future__ import annotations

import csv
import io
import json
import os
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heliostat.frames.kinds import INTEGER, NOTHING, REAL, TEXT, TRUTH, kind_of_column
from heliostat.frames.reading import frame_of
from heliostat.objects import cell_value, table
from heliostat.query import TIMES, columns
from heliostat.trial import Run

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_JSON = {b"heliostat": b"json"}


def to_csv(runs: Sequence[Run], path: str | Path) -> None:
    """Write runs to a CSV file that is either complete or not there."""
    write_whole(Path(path), csv_text(runs).encode("utf-8", "surrogatepass"))


def to_parquet(runs: Sequence[Run], path: str | Path) -> None:
    """Write runs to a Parquet file that is either complete or not there."""
    write_whole(Path(path), parquet_bytes(runs))


def from_csv(path: str | Path) -> pd.DataFrame:
    """The data frame of a file of :func:`to_csv`, with the columns of :func:`heliostat.runs`."""
    with open(path, encoding="utf-8", errors="surrogatepass", newline="") as file:
        names, *rows = csv.reader(file)
    found = {name: [cell_value(row[place]) for row in rows] for place, name in enumerate(names)}
    if "tags" in found:
        found["tags"] = [tuple(tags or ()) for tags in found["tags"]]
    return frame_of(found)


def from_parquet(path: str | Path) -> pd.DataFrame:
    """The data frame of a file of :func:`to_parquet`, with the columns of :func:`heliostat.runs`."""
    import pyarrow.parquet as pq

    read = pq.ParquetFile(path).read()
    found = {field.name: _values(field, read.column(place)) for place, field in enumerate(read.schema)}
    return frame_of(found)


def csv_text(runs: Sequence[Run]) -> str:
    """Runs as CSV."""
    names, rows = table(runs)
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows([names, *rows])
    return buffer.getvalue()


def parquet_bytes(runs: Sequence[Run], names: Collection[str] | None = None) -> bytes:
    """Runs as the content of a Parquet file; with `names`, only these columns, where the runs have them."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = columns(runs)
    chosen = found if names is None else {name: found[name] for name in names if name in found}
    fields, arrays = zip(*(_column(name, of) for name, of in chosen.items()), strict=True)
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_arrays(list(arrays), schema=pa.schema(fields)), buffer)
    return buffer.getvalue()


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is either complete or not there."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)


def _column(name: str, values: Sequence[Any]) -> tuple[pa.Field, pa.Array]:
    import pyarrow as pa

    if name in TIMES:
        kind = pa.timestamp("us", tz="UTC")
        micros = [None if value is None else round(value * 1e6) for value in values]
        return pa.field(name, kind), pa.array(micros, pa.int64()).cast(kind)
    if name == "tags":
        kind = pa.list_(pa.string())
        return pa.field(name, kind), pa.array(values, kind)
    kinds = {
        INTEGER: pa.int64(),
        REAL: pa.float64(),
        TRUTH: pa.bool_(),
        TEXT: pa.string(),
        NOTHING: pa.null(),
    }
    kind = kinds.get(kind_of_column(values)[0])
    if kind is not None:
        try:
            return pa.field(name, kind), pa.array(values, kind, from_pandas=False)
        except UnicodeEncodeError:  # a lone surrogate; JSON escapes it
            pass
    texts = [None if value is None else json.dumps(value, default=str) for value in values]
    return pa.field(name, pa.string(), metadata=_JSON), pa.array(texts, pa.string())


def _values(field: pa.Field, column: pa.ChunkedArray) -> list[Any]:
    import pyarrow as pa

    if pa.types.is_timestamp(field.type):
        return [None if value is None else value / 1e6 for value in column.cast(pa.int64()).to_pylist()]
    found: list[Any] = column.to_pylist()
    if field.name == "tags":
        return [tuple(tags or ()) for tags in found]
    if (field.metadata or {}).get(b"heliostat") == b"json":
        return [None if text is None else json.loads(text) for text in found]
    return found
