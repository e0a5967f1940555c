"""Mutations: of bytes, of plain data, and of what containers such as PNG, zip and tar contain, whose checksums are then right."""

import copy
import gzip
import io
import json
import math
import random
import struct
import tarfile
import tomllib
import zipfile
import zlib
from collections.abc import Callable, Sequence
from typing import Any

Mutation = Callable[[bytes, Sequence[bytes], random.Random], bytes]  # content, the contents of other seeds, where to draw from

NUMBERS = (
    0,
    1,
    2,
    3,
    7,
    8,
    9,
    16,
    127,
    128,
    255,
    256,
    2**15,
    2**16 - 1,
    2**16,
    2**24,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63,
    2**64 - 1,
)
PNG, LONG = b"\x89PNG\r\n\x1a\n", 2**15


# ---- bytes: each changes a copy that is never empty


def flip(data: bytearray, others: Sequence[bytes], draw: random.Random) -> None:
    for _ in range(draw.choice((1, 1, 2, 8))):
        data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)


def overwrite(data: bytearray, others: Sequence[bytes], draw: random.Random) -> None:
    at = draw.randrange(len(data))
    data[at : at + draw.randrange(1, 9)] = draw.randbytes(draw.randrange(1, 9))


def cut(data: bytearray, others: Sequence[bytes], draw: random.Random) -> None:
    del data[draw.randrange(len(data)) :]


def remove(data: bytearray, others: Sequence[bytes], draw: random.Random) -> None:
    at = draw.randrange(len(data))
    del data[at : at + draw.randrange(1, 64)]


def repeat(data: bytearray, others: Sequence[bytes], draw: random.Random) -> None:
    at = draw.randrange(len(data))
    chunk = data[at : at + draw.randrange(1, 256)]
    data[at:at] = chunk * min(draw.choice((1, 2, 20, 1000)), LONG // len(chunk))


def splice(data: bytearray, others: Sequence[bytes], draw: random.Random) -> None:
    other = draw.choice(others)
    data[draw.randrange(len(data)) :] = other[draw.randrange(len(other)) :]


def number(data: bytearray, others: Sequence[bytes], draw: random.Random) -> None:
    """Overwrite what may be a length, likely near the start, where headers are."""
    size, order = draw.choice((1, 2, 4, 8)), draw.choice("<>")
    at = draw.randrange(min(len(data), draw.choice((32, 256, len(data)))))
    found = int.from_bytes(data[at : at + size], "little" if order == "<" else "big")
    value = draw.choice((*NUMBERS, found + 1, found - 1, 2 * found, found // 2, -found))
    data[at : at + size] = struct.pack(f"{order}{'BHxIxxxQ'[size - 1]}", value % 2 ** (8 * size))


BYTES = (flip, overwrite, cut, remove, repeat, splice, number)


def mutate_bytes(content: bytes, others: Sequence[bytes], draw: random.Random) -> bytes:
    """Change bytes in one to three ways."""
    data = bytearray(content)
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        if data:
            draw.choice(BYTES)(data, others, draw)
    return bytes(data)


# ---- plain data

TEXTS = ("", "\0", "../../x", "/etc/passwd", "\x1b]0;title\x07", "\ud800", "é\u202e", "@step", "x" * 2000, "nan", "1e999", "-1")
VALUES: tuple[Any, ...] = (None, True, False, -1, 1.5, -0.0, math.inf, math.nan, 1e308, [], {}, [[]], *NUMBERS, 10**30, *TEXTS)


def _places(data: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = list(data.items()) if isinstance(data, dict) else list(enumerate(data)) if isinstance(data, list) else []
    return [place, *(found for key, value in items for found in _places(value, (*place, key)))]


def _at(data: Any, place: Sequence[Any]) -> Any:
    for key in place:
        data = data[key]
    return data


def _nested(value: Any, draw: random.Random) -> Any:
    for _ in range(draw.choice((1, 3, 40, 400))):
        value = [value] if draw.random() < 0.5 else {draw.choice(("stages", "block", "a")): value}
    return value


def mutate_data(data: Any, others: Sequence[Any], draw: random.Random) -> Any:
    """Return data in which one to three values are replaced, moved, removed, renamed, repeated or nested."""
    data = copy.deepcopy(data)
    for _ in range(draw.choice((1, 1, 2, 3))):
        places = _places(data)[1:]
        if not places:
            return draw.choice(VALUES)
        *above, key = draw.choice(places)
        parent = _at(data, above)
        kind = draw.randrange(7)
        if kind == 0:
            del parent[key]
        elif kind == 1 and isinstance(parent, dict):
            parent[draw.choice((*parent, f"{key}x", draw.choice(TEXTS)))] = parent.pop(key)
        elif kind == 2 and isinstance(parent, list):
            parent[key:key] = [copy.deepcopy(parent[key]) for _ in range(draw.choice((1, 10, 1000)))]
        elif kind == 3:
            parent[key] = _nested(parent[key], draw)
        elif kind == 4:
            other = draw.choice(others)
            parent[key] = copy.deepcopy(_at(other, draw.choice(_places(other))))
        elif kind == 5 and isinstance(parent[key], int | float):
            parent[key] = draw.choice((-parent[key], parent[key] + 1, parent[key] * 1000, float(parent[key]), str(parent[key])))
        else:
            parent[key] = draw.choice(VALUES)
    return data


def mutate_json(content: bytes, others: Sequence[bytes], draw: random.Random) -> bytes:
    """Change the values of a JSON file."""
    return json.dumps(mutate_data(json.loads(content), [json.loads(other) for other in others], draw)).encode()


def mutate_toml(content: bytes, others: Sequence[bytes], draw: random.Random) -> bytes:
    """Change the values of a TOML file; what TOML does not have becomes text."""
    parsed = [tomllib.loads(each.decode()) for each in (content, *others)]
    return _toml(mutate_data(parsed[0], parsed[1:], draw)).encode("utf-8", "surrogatepass")


def _toml(data: Any) -> str:
    """Return TOML with inline tables only, which can nest as deeply as wanted."""

    def inline(value: Any) -> str:
        if isinstance(value, dict):
            return f"{{{', '.join(f'{json.dumps(key)} = {inline(each)}' for key, each in value.items())}}}"
        if isinstance(value, list):
            return f"[{', '.join(map(inline, value))}]"
        if isinstance(value, float) and not math.isfinite(value):
            return str(value)
        return json.dumps(value if value is not None else "none")

    return "".join(f"{json.dumps(key)} = {inline(value)}\n" for key, value in data.items()) if isinstance(data, dict) else str(data)


def mutate_lines(content: bytes, others: Sequence[bytes], draw: random.Random) -> bytes:
    """Change the values in one of several lines of JSON."""
    lines, at = content.splitlines(), draw.randrange(content.count(b"\n"))
    lines[at] = mutate_json(lines[at], [line for other in others for line in other.splitlines()], draw)
    return b"\n".join(lines) + b"\n"


# ---- containers: one part is changed, and the checksums fit again


def mutate_png(content: bytes, others: Sequence[bytes], draw: random.Random) -> bytes:
    """Change, repeat, remove or move a chunk, or what one contains after decompression."""
    chunks, at = [], len(PNG)
    while at + 12 <= len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        chunks.append((content[at + 4 : at + 8], content[at + 8 : at + 8 + size]))
        at += size + 12
    i, kind = draw.randrange(len(chunks)), draw.randrange(5)
    name, inside = chunks[i]
    if kind == 0:
        chunks.insert(draw.randrange(len(chunks)), chunks[i])
    elif kind == 1:
        chunks.insert(draw.randrange(len(chunks)), chunks.pop(i))
    elif kind == 2 and name == b"IDAT":
        chunks[i] = name, zlib.compress(mutate_bytes(zlib.decompress(inside), others, draw))
    else:
        chunks[i] = name, mutate_bytes(inside, others, draw)
    packed = (struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks)
    return PNG + b"".join(packed)


def mutate_zip(content: bytes, others: Sequence[bytes], draw: random.Random) -> bytes:
    """Change, remove or add a file in a zip archive."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    _mutate_file(files, others, draw)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", draw.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))) as archive:
        for name, inside in files.items():
            archive.writestr(name, inside)
    return out.getvalue()


def mutate_tgz(content: bytes, others: Sequence[bytes], draw: random.Random) -> bytes:
    """Change, remove or add a file in a compressed tar archive, or the archive before compression."""
    inside = gzip.decompress(content)
    if draw.random() < 0.3:
        return gzip.compress(mutate_bytes(inside, others, draw), 1)
    with tarfile.open(fileobj=io.BytesIO(inside)) as archive:
        files = {name: archive.extractfile(name).read() for name in archive.getnames()}
    _mutate_file(files, others, draw)
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz", compresslevel=1) as archive:
        for name, each in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(each)
            archive.addfile(entry, io.BytesIO(each))
    return out.getvalue()


def _mutate_file(files: dict[str, bytes], others: Sequence[bytes], draw: random.Random) -> None:
    name, kind = draw.choice(list(files)), draw.randrange(6)
    if kind == 0:
        del files[name]
    elif kind == 1:
        files[draw.choice(list(files)) + draw.choice(("", "x", ".npy", "/data.pkl"))] = files[name]
    elif name.endswith(".json") and kind < 5:
        files[name] = mutate_json(files[name], [files[name]], draw)
    else:
        files[name] = mutate_bytes(files[name], [*files.values(), *others], draw)


def mutate_safetensors(content: bytes, others: Sequence[bytes], draw: random.Random) -> bytes:
    """Change the header of a safetensors file."""
    size = int.from_bytes(content[:8], "little")
    header = mutate_json(content[8 : 8 + size], [content[8 : 8 + size]], draw)
    return len(header).to_bytes(8, "little") + header + content[8 + size :]


STRUCTURED: dict[str, Mutation] = {  # by suffix
    ".json": mutate_json,
    ".jsonl": mutate_lines,
    ".npz": mutate_zip,
    ".png": mutate_png,
    ".pth": mutate_zip,
    ".safetensors": mutate_safetensors,
    ".tgz": mutate_tgz,
    ".toml": mutate_toml,
}


def mutate(suffix: str, content: bytes, others: Sequence[bytes], draw: random.Random) -> bytes:
    """Change a seed: what it contains, if its format is known here, or its bytes."""
    structured = STRUCTURED.get(suffix)
    if structured and draw.random() < 0.6:
        try:
            return structured(content, others, draw)
        except (ValueError, KeyError, RecursionError, zlib.error, zipfile.BadZipFile, tarfile.TarError):  # not so this file
            pass
    return mutate_bytes(content, others, draw)
