-- `relineage show` of a version or digest: each statement is a section, its name the title.

-- name: versions
-- The versions that are meant, the oldest first.
select v.*
from dataset_versions v
join store.versions_of($namespace, $name, $version, $digest) using (namespace, name, version)
order by first_written_at nulls last, namespace, name, version;

-- name: digests
-- The digests of their content, each with the datasets that have it.
select g.digest, list(distinct w.namespace || '/' || w.name order by w.namespace || '/' || w.name) as names
from store.versions_of($namespace, $name, $version, $digest) w
join store.version_digest g on g.version_key = store.version_key(w.namespace, w.name, w.version)
group by g.digest
order by g.digest;

-- name: writers
-- The runs that wrote them, the first write first.
select o.run_id, r.job_name, r.state, o.role, o.dataset_name, o.written_at
from outputs o
join store.versions_of($namespace, $name, $version, $digest) w
    on w.namespace = o.dataset_namespace and w.name = o.dataset_name and w.version = o.version
left join runs r using (run_id)
order by o.written_at, o.run_id;

-- name: readers
-- The runs that read them, the first read first.
select i.run_id, r.job_name, r.state, i.role, i.dataset_name, i.read_at, i.how
from inputs i
join store.versions_of($namespace, $name, $version, $digest) w
    on w.namespace = i.dataset_namespace and w.name = i.dataset_name and w.version = i.version
left join runs r using (run_id)
order by i.read_at, i.run_id;

-- name: model
-- What kind of model they are, where they are one.
select distinct m.framework, m.parameters
from models m
join store.versions_of($namespace, $name, $version, $digest) using (namespace, name, version)
order by all;

-- name: features
-- The statistics of their columns.
select distinct f.feature, f.type, f.rows, f.nulls, f.min, f.max, f.mean, f.deviation, f.distinct_values
from feature_stats f
join store.versions_of($namespace, $name, $version, $digest) w
    on w.namespace = f.dataset_namespace and w.name = f.dataset_name and w.version = f.version
order by all;
