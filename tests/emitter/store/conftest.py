"""Stores of both kinds: a folder, and a file system that fsspec reaches."""

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest

from relineage.emitter.digests import content_of
from relineage.emitter.store import Store, open_store


@pytest.fixture(params=["folder", "fsspec"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store."""
    location = tmp_path / "store" if request.param == "folder" else f"memory://{uuid4()}/store"
    return open_store(location, tmp_path)


@pytest.fixture
def kept(store: Store) -> Callable[[object], str]:
    """Puts data into the store and gives the digest of its object."""

    def keep(data: object) -> str:
        before = {one.digest for one in store.scan()}
        content = content_of(data)
        store.put(content, data)
        (digest,) = [one for one in content.digests if store.find(one)]
        assert digest in {one.digest for one in store.scan()} | before
        return digest

    return keep
