"""The content-addressed store: what was read and made, kept under its digest, once, whoever refers to it.

`names` decides what an object is called, `forms` how tables and tensors become files, `places` how a folder or
an fsspec URL keeps files, `objects` what is put, checked and given back. What is put there is the run's
business, what may go is decided by who asks a database (`relineage store gc`).
"""

from .objects import Object, Store, is_url, open_store

__all__ = ["Object", "Store", "is_url", "open_store"]
