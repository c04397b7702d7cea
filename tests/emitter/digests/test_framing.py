import hashlib
from collections.abc import Callable

import pytest
from blake3 import blake3

from relineage.emitter.digests.framing import frame, merkle_root, number, utf8
from relineage.emitter.digests.records import Refused

# From the test_vectors.json of the BLAKE3 repository: input length, first 32 bytes of hash and of derive_key.
VECTORS = [
    (
        0,
        "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
        "2cc39783c223154fea8dfb7c1b1660f2ac2dcbd1c1de8277b0b0dd39b7e50d7d",
    ),
    (
        1,
        "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213",
        "b3e2e340a117a499c6cf2398a19ee0d29cca2bb7404c73063382693bf66cb06c",
    ),
    (
        1025,
        "d00278ae47eb27b34faecf67b4fe263f82d5412916c1ffd97c8cb7fb814b8444",
        "effaa245f065fbf82ac186839a249707c3bddf6d3fdda22d1b95a3c970379bcb",
    ),
    (
        102400,
        "bc3e3d41a1146b069abffad3c0d44860cf664390afce4d9661f7902e7943e085",
        "4652cff7a3f385a6103b5c260fc1593e13c778dbe608efb092fe7ee69df6e9c6",
    ),
]

# Roots over the first n of the eight leaves of the Certificate Transparency reference implementation.
LEAVES = [bytes.fromhex(text) for text in (
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f",
)]  # fmt: skip
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    6: "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def rfc6962(entries: list[bytes], hashed: Callable[[bytes], bytes]) -> bytes:
    """Section 2.1 of the RFC, word by word."""
    if not entries:
        return hashed(b"")
    if len(entries) == 1:
        return hashed(b"\x00" + entries[0])
    split = 1
    while split * 2 < len(entries):
        split *= 2
    return hashed(b"\x01" + rfc6962(entries[:split], hashed) + rfc6962(entries[split:], hashed))


@pytest.mark.parametrize(("length", "plain", "derived"), VECTORS)
def test_the_hash_is_blake3(length: int, plain: str, derived: str) -> None:
    data = bytes(i % 251 for i in range(length))
    assert blake3(data).hexdigest() == plain
    context = "BLAKE3 2019-12-27 16:29:52 test vectors context"
    assert blake3(data, derive_key_context=context).hexdigest() == derived


@pytest.mark.parametrize("count", ROOTS)
def test_the_test_s_own_tree_gives_the_reference_roots_of_certificate_transparency(count: int) -> None:
    assert rfc6962(LEAVES[:count], lambda data: hashlib.sha256(data).digest()).hex() == ROOTS[count]


@pytest.mark.parametrize("count", [*range(18), 31, 32, 33, 100])
def test_our_tree_has_the_shape_of_rfc_6962(count: int) -> None:
    entries = [bytes([i]) * (i % 5) for i in range(count)]
    assert merkle_root(entries) == rfc6962(entries, lambda data: bytes(blake3(data).digest()))


def test_a_frame_tells_where_a_piece_ends() -> None:
    assert number(258) == b"\x02\x01" + bytes(6)
    assert frame(b"a") + frame(b"bX") != frame(b"ab") + frame(b"X")


def test_text_without_a_utf8_form_is_refused() -> None:
    with pytest.raises(Refused, match="column 'x': text without a UTF-8 form"):
        utf8("\ud800", where="column 'x'")
