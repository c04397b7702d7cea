"""The manifest of a model's folder is what the package model_signing signs and verifies."""

from pathlib import Path

import pytest
import safetensors.torch
import torch
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.protobuf import json_format
from model_signing import hashing, signing, verifying
from model_signing._signing import sign_ec_key
from model_signing._signing import signing as statements

from relineage.emitter.digests import Refused, content_of
from relineage.emitter.digests.signing import signing_statement


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    (folder / "tokenizer").mkdir(parents=True)
    (folder / ".git").mkdir()
    safetensors.torch.save_file({"w": torch.randn(100, 100)}, folder / "model.safetensors")
    for name in (
        "config.json",
        "tokenizer/vocab.txt",
        "tokenizer-config.json",
        ".gitattributes",
        ".git/HEAD",
        "ż",
    ):
        (folder / name).write_text(name)
    (folder / "empty").write_bytes(b"")
    return folder


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    private = ec.generate_private_key(ec.SECP256R1())
    secret, public = tmp_path / "key", tmp_path / "key.pub"
    pem = serialization.Encoding.PEM
    secret.write_bytes(
        private.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    public.write_bytes(
        private.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return secret, public


def theirs(model: Path, *ignored: str) -> hashing.Config:
    return (
        hashing.Config()
        .use_file_serialization(hashing_algorithm="blake3")
        .set_ignored_paths(paths=list(ignored))
    )


def test_the_statement_is_theirs_field_by_field(model: Path) -> None:
    manifest = theirs(model, "model.sig", "tokenizer").hash(model)
    statement = json_format.MessageToDict(statements.Payload(manifest).statement.pb)
    statement["predicate"]["serialization"]["ignore_paths"].sort()  # a set, in any order
    assert signing_statement(model, ignored=["model.sig", "tokenizer"]) == statement


def test_what_we_state_and_they_sign_they_verify(model: Path, keys: tuple[Path, Path]) -> None:
    secret, public = keys
    signature = model / "model.sig"
    manifest = statements.dsse_payload_to_manifest(signing_statement(model, ignored=[signature.name]))
    sign_ec_key.Signer(secret).sign(statements.Payload(manifest)).write(signature)
    verifying.Config().use_elliptic_key_verifier(public_key=public).verify(model, signature)
    (model / "config.json").write_text("another")
    with pytest.raises(ValueError, match=r"Hash mismatch for 'config\.json'"):
        verifying.Config().use_elliptic_key_verifier(public_key=public).verify(model, signature)


def test_what_they_sign_has_our_digests(model: Path, keys: tuple[Path, Path]) -> None:
    secret, public = keys
    signature = model.parent / "model.sig"
    config = theirs(model)
    signing.Config().use_elliptic_key_signer(private_key=secret).set_hashing_config(config).sign(
        model, signature
    )
    verifier = verifying.Config().use_elliptic_key_verifier(public_key=public)
    verifier.verify(model, signature)
    resources = signing_statement(model)["predicate"]["resources"]
    assert [one["name"] for one in resources] == [
        "config.json", "empty", "model.safetensors", "tokenizer/vocab.txt", "tokenizer-config.json", "ż",
    ]  # fmt: skip
    for one in resources:
        assert f"b3-bytes1:{one['digest']}" in content_of(model / one["name"]).digests
    assert [(d.identifier, d.digest.digest_hex) for d in config.hash(model).resource_descriptors()] == [
        (one["name"], one["digest"]) for one in resources
    ]


def test_links_to_nothing_are_refused(model: Path) -> None:
    (model / "lost").symlink_to("nowhere")
    with pytest.raises(Refused, match="link"):
        signing_statement(model)
