"""Bundles: everything that is known of one thing, as one file to keep beside it.

    from relineage.consumer.bundle.opening import opened

    with opened(Path("model.lineage")) as bundle:
        for hop in Ask(bundle.store.connection).upstream(bundle.manifest.of.x):
            print(hop.depth, hop.dataset_name, hop.writer_job_name)

`mark` decides by what a bundle is known, `manifest` what it says of itself, `archive` how it is written and what of a
file from elsewhere is believed, `closure` which events belong to it, `code` how commits travel, `making` how one is put
together, `opening` what it becomes on the machine of whoever reads it. Which contents are added, and where they come
from, is decided by who calls `making.make`: this package knows no store of contents. Digests in a bundle prove that its
parts belong together, not who made it.
"""
