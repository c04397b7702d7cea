-- `relineage show` of a dataset: each statement is a section, its name the title.

-- name: dataset
-- The dataset itself.
select * from datasets where namespace = $namespace and name = $name;

-- name: other_names
-- The other names of the same dataset.
select other.namespace, other.name from datasets mine
join datasets other
    on other.one_with_namespace = mine.one_with_namespace and other.one_with_name = mine.one_with_name
where mine.namespace = $namespace and mine.name = $name
    and (other.namespace, other.name) <> (mine.namespace, mine.name)
order by all;

-- name: versions
-- Its versions under this name, newest first.
select * exclude (namespace, name) from dataset_versions where namespace = $namespace and name = $name
order by first_written_at desc nulls last, version;

-- name: writers
-- The runs that wrote it, the last write first.
select o.run_id, r.job_name, r.state, o.role, o.version, o.written_at
from outputs o left join runs r using (run_id)
where o.dataset_namespace = $namespace and o.dataset_name = $name
order by o.written_at desc, o.run_id;

-- name: readers
-- The runs that read it, the last read first.
select i.run_id, r.job_name, r.state, i.role, i.version, i.read_at, i.how
from inputs i left join runs r using (run_id)
where i.dataset_namespace = $namespace and i.dataset_name = $name
order by i.read_at desc, i.run_id;

-- name: facets
-- What was said about it.
select key, body from facets
where entity = 'dataset' and namespace = $namespace and name = $name
order by key;
