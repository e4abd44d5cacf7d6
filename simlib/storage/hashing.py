"""Hashes: by them a file is checked, and a picture is known again."""

from __future__ import annotations

import hashlib


def sha256_of(path, chunk_bytes: int = 1 << 20) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(chunk_bytes):
            digest.update(chunk)
    return digest.hexdigest()


def digest_of(data: bytes) -> bytes:
    """Return the key of a picture: the SHA-256 of its file, 32 bytes."""
    return hashlib.sha256(data).digest()
