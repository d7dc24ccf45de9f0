"""The columns of the rows: Arrow in memory, Parquet when sealed."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from agent.domain import Feature
from agent.pool.rows import PoolRow, RowSuspect
from agent.selection.feedback import Side
from agent.selection.similarity import CROP_SIDE

ROW_SCHEMA = 2
"""Counted up when rows of earlier versions can no longer be used."""

_BITS_BYTES = 32

_SUSPECT = pa.struct(
    [
        ("rule", pa.string()),
        ("side", pa.string()),
        ("p", pa.float64()),
        ("label", pa.string()),
        ("x_min", pa.float64()),  # normalized, as the next three; null = the whole image
        ("y_min", pa.float64()),
        ("x_max", pa.float64()),
        ("y_max", pa.float64()),
        ("track", pa.int64()),
        ("reason", pa.string()),
        ("crop", pa.binary(CROP_SIDE * CROP_SIDE)),  # grey levels, row by row
        ("feature", pa.binary()),  # float16, little endian
    ]
)

SCHEMA = pa.schema(
    [
        ("key", pa.string()),
        ("item", pa.string()),  # key of the image, or of the recording that it is a frame of
        ("version", pa.uint64()),  # of the item
        ("since", pa.int64()),  # the row stands for the frames from this one to `frame`
        ("frame", pa.int64()),
        ("is_last", pa.bool_()),  # with it all rows of the item are kept
        ("id", pa.string()),
        ("camera", pa.string()),
        ("at", pa.float64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("sha256", pa.string()),
        ("bits", pa.binary(_BITS_BYTES)),  # 256 bits, big endian
        ("digest", pa.string()),
        ("is_degraded", pa.bool_()),
        ("is_unusable", pa.bool_()),
        ("suspects", pa.list_(_SUSPECT)),
        ("source", pa.string()),
        ("other_model", pa.string()),
        ("problem", pa.string()),
        ("record", pa.binary()),  # JSON; last, so that what the choice reads is in one piece
    ]
)

_ROW = pa.struct(list(SCHEMA))
_TEXTS = ("key", "id", "camera", "sha256", "digest", "source", "other_model", "problem")
_PLAIN = ("version", "frame", "at", "width", "height", "is_degraded", "is_unusable")
_ODD = re.compile("[\0\ud800-\udfff]")
_ESCAPED = re.compile("\0([0-9a-f]{4})")


def batch_of(row: PoolRow, *, since: int) -> pa.RecordBatch:
    """Return a row as Arrow; one without a frame is the last of its item."""
    values: dict[str, Any] = {name: storable(getattr(row, name)) for name in _TEXTS}
    values |= {name: getattr(row, name) for name in _PLAIN}
    values["item"] = storable(row.item)
    values["since"] = since
    values["is_last"] = row.frame is None
    values["bits"] = row.bits.to_bytes(_BITS_BYTES, "big") if row.bits is not None else None
    values["suspects"] = [_suspect_values(each) for each in row.suspects]
    values["record"] = row.record
    # One conversion: `from_pylist` makes one for each column, and takes twice the time.
    return pa.RecordBatch.from_struct_array(pa.array([values], _ROW))


def rows_of(table: pa.Table | pa.RecordBatch) -> list[PoolRow]:
    """Return the rows of a table; columns that it lacks are empty.

    Raises `ValueError` if they are none that `batch_of` made.
    """
    count = table.num_rows
    names = set(table.schema.names)
    columns: dict[str, Iterable[Any]] = {}
    for name in _TEXTS:
        if name in names:
            columns[name] = [restored(text) for text in table[name].to_pylist()]
    for name in _PLAIN:
        if name in names:
            columns[name] = table[name].to_pylist()
    if "bits" in names:
        columns["bits"] = [
            int.from_bytes(bits, "big") if bits is not None else None
            for bits in table["bits"].to_pylist()
        ]
    if "record" in names:
        columns["record"] = table["record"].to_pylist()
    if "suspects" in names:
        columns["suspects"] = _suspects(table["suspects"], count)
    fields = list(columns)
    return [
        PoolRow(**dict(zip(fields, values, strict=True)))
        for values in zip(*columns.values(), strict=True)
    ]


def storable(text: str) -> str:
    """Return a text that UTF-8 can hold: names of files may be any bytes."""
    if text.isascii() and "\0" not in text:
        return text
    return _ODD.sub(lambda found: f"\0{ord(found[0]):04x}", text)


def restored(text: str) -> str:
    """Return what `storable` was given."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text) if "\0" in text else text


def _suspect_values(suspect: RowSuspect) -> dict[str, Any]:
    x_min, y_min, x_max, y_max = suspect.box or (None, None, None, None)
    feature = suspect.feature
    return {
        "rule": storable(suspect.rule),
        "side": suspect.side.value,
        "p": suspect.p,
        "label": storable(suspect.label),
        "x_min": x_min,
        "y_min": y_min,
        "x_max": x_max,
        "y_max": y_max,
        "track": suspect.track,
        "reason": storable(suspect.reason),
        "crop": suspect.crop,
        "feature": _feature_bytes(feature) if feature is not None else None,
    }


def _suspects(column: pa.ChunkedArray | pa.Array, count: int) -> list[tuple[RowSuspect, ...]]:
    """Return the suspects of each row. By column: a list of dictionaries takes far longer."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
        if isinstance(column, pa.ChunkedArray):  # of older pyarrow
            column = column.chunk(0) if column.num_chunks else pa.array([], column.type)
    flat = column.flatten()
    fields = {field.name: flat.field(n).to_pylist() for n, field in enumerate(_SUSPECT)}
    boxes: Sequence[Any] = list(
        zip(*(fields[name] for name in ("x_min", "y_min", "x_max", "y_max")), strict=True)
    )
    found = [
        RowSuspect(
            rule=restored(rule),
            side=_SIDES[side],
            p=p,
            label=restored(label),
            box=box if box[0] is not None else None,
            track=track,
            reason=restored(reason),
            crop=crop,
            feature=_feature(feature) if feature is not None else None,
        )
        for rule, side, p, label, box, track, reason, crop, feature in zip(
            fields["rule"],
            fields["side"],
            fields["p"],
            fields["label"],
            boxes,
            fields["track"],
            fields["reason"],
            fields["crop"],
            fields["feature"],
            strict=True,
        )
    ]
    offsets = column.offsets.to_pylist()
    begin = offsets[0] if offsets else 0
    return [tuple(found[offsets[n] - begin : offsets[n + 1] - begin]) for n in range(count)]


def _feature_bytes(feature: Feature) -> bytes:
    return bytes(np.ascontiguousarray(feature, "<f2").data)  # Arrow is slow with views


def _feature(data: bytes) -> Feature:
    return np.frombuffer(data, "<f2").astype(np.float16)


_SIDES = {side.value: side for side in Side}
