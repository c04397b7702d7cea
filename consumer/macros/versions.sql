-- The versions that a version or digest stands for.

-- A version under all names of its dataset, or all versions that have a digest: (namespace, name, version).
create or replace macro store.versions_of(dataset_namespace, dataset_name, version_text, content_digest) as table (
    with mine as (
        select namespace, name, one_with_namespace, one_with_name from datasets
        where namespace = dataset_namespace and name = dataset_name
    ),
    named as (
        select d.namespace, d.name from datasets d join mine m
            on (d.namespace = m.namespace and d.name = m.name)
            or (d.one_with_namespace = m.one_with_namespace and d.one_with_name = m.one_with_name)
    )
    select v.namespace, v.name, v.version
    from dataset_versions v join named using (namespace, name) where v.version = version_text
    union
    select d.namespace, d.name, v.version
    from store.version_digest g join store.version v using (version_key) join store.dataset d using (dataset_key)
    where g.digest = content_digest
);
