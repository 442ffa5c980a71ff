"""Sealing: bound to key and place, never twice the same bytes."""

import pytest

from shared.plumbing.sealing import Seal, Unsealable

KEY, OTHER = b"\x01" * 32, b"\x02" * 32


def test_what_was_closed_is_opened_again() -> None:
    content = {"name": "王芳", "list": [1, None, {"a": True}]}
    assert Seal(KEY).open(Seal(KEY).close(content, "customers/1"), "customers/1") == content
    assert Seal(KEY).open_bytes(Seal(KEY).close(b"\x00\xff", "early/1"), "early/1") == b"\x00\xff"


def test_nothing_sealed_is_an_empty_mapping() -> None:
    assert Seal(KEY).open(None, "customers/1") == {}


@pytest.mark.parametrize(
    ("key", "place", "spoil"),
    [(OTHER, "customers/1", None), (KEY, "customers/2", None), (KEY, "customers/1", 0), (KEY, "customers/1", -1)],
    ids=["another key", "another place", "edited nonce", "edited bytes"],
)
def test_another_key_place_or_byte_opens_nothing(key: bytes, place: str, spoil: int | None) -> None:
    sealed = bytearray(Seal(KEY).close({"a": 1}, "customers/1"))
    if spoil is not None:
        sealed[spoil] ^= 1
    with pytest.raises(Unsealable, match=place):
        Seal(key).open(bytes(sealed), place)


@pytest.mark.parametrize("sealed", [b"", b"short", b"\x00" * 12, b"\x00" * 27])
def test_cut_off_bytes_are_unsealable(sealed: bytes) -> None:
    with pytest.raises(Unsealable):
        Seal(KEY).open_bytes(sealed, "customers/1")


def test_the_same_content_never_looks_the_same() -> None:
    sealed = {Seal(KEY).close({"phone": "1"}, "customers/1") for _ in range(50)}
    assert len(sealed) == 50
    assert not any(b"phone" in one for one in sealed)
