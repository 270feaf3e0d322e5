"""Pictures of any usual kind, as bytes of a type that a browser shows."""

from __future__ import annotations

import io
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from heliostat.errors import InvalidValue

if TYPE_CHECKING:
    import numpy as np

TYPES = {
    ".apng": "image/apng",
    ".bmp": "image/bmp",
    ".gif": "image/gif",
    ".ico": "image/x-icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".webp": "image/webp",
}
"""What may be logged as a file, by its ending."""

_PNG_COLORS = {1: 0, 3: 2, 4: 6}
"""Channels of a pixel → PNG's color type (grey, RGB, RGBA)."""


@dataclass(frozen=True)
class Picture:
    """Content of a known type; `filename` is set if it came from a file."""

    content: bytes = field(repr=False)
    content_type: str
    filename: str | None = None


def picture(image: Any) -> Picture:
    """A picture from a path, a PIL image, a matplotlib figure, or an array of pixels.

    Args:
        image: Arrays have the shape ``height × width`` or ``height × width × channels`` with 1, 3 or 4
            channels; values are cut to 0…255.

    Raises:
        InvalidValue: It is none of these, or a file of another type.
    """
    if isinstance(image, (str, Path)):
        return _from_file(Path(image))
    kinds = {kind.__module__.partition(".")[0] for kind in type(image).__mro__}
    if "PIL" in kinds and hasattr(image, "save"):
        content = io.BytesIO()
        image.save(content, "PNG")
        return Picture(content.getvalue(), "image/png")
    if "matplotlib" in kinds and hasattr(image, "savefig"):
        content = io.BytesIO()
        image.savefig(content, format="svg")
        return Picture(content.getvalue(), "image/svg+xml")
    if hasattr(image, "__array__"):
        return Picture(png(_pixels(image)), "image/png")
    rule = "must be a path, a PIL image, a matplotlib figure or an array"
    raise InvalidValue("image", rule, given=image, remedy="Save it as a PNG file and give its path.")


def png(pixels: np.ndarray) -> bytes:
    """PNG of 8-bit pixels of shape ``height × width × channels``.

    Args:
        pixels: Of type ``uint8``, with 1, 3 or 4 channels.
    """
    height, width, channels = pixels.shape
    rows = pixels.reshape(height, width * channels)
    raw = b"".join(b"\x00" + row.tobytes() for row in rows)  # each line begins with its filter: none
    header = struct.pack(">IIBBBBB", width, height, 8, _PNG_COLORS[channels], 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in chunks)


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def _pixels(image: Any) -> np.ndarray:
    import numpy as np

    array = np.asarray(image)
    if array.ndim == 2:
        array = array[:, :, np.newaxis]
    if array.ndim != 3 or array.shape[2] not in _PNG_COLORS or 0 in array.shape:
        rule = "an array must be height × width, or height × width × channels with 1, 3 or 4 channels"
        raise InvalidValue("image", rule, given=np.shape(image), remedy="Transpose or select channels.")
    if array.dtype.kind not in "buif":
        raise InvalidValue("image", "an array must hold numbers", given=str(array.dtype))
    pixels: np.ndarray = np.nan_to_num(array, posinf=255, neginf=0).clip(0, 255).astype(np.uint8)
    return pixels


def _from_file(path: Path) -> Picture:
    content_type = TYPES.get(path.suffix.lower())
    if content_type is None:
        rule = f"a file must end in one of {', '.join(sorted(TYPES))}"
        raise InvalidValue("image", rule, given=str(path), remedy="Convert it, for instance to PNG.")
    try:
        return Picture(path.read_bytes(), content_type, path.name)
    except OSError as error:
        rule = f"cannot be read ({error.strerror})"
        raise InvalidValue("image", rule, given=str(path), remedy="Check the path.") from None
