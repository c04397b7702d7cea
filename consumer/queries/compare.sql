-- What is recorded of a content, for comparing it with another one.

-- name: versions_meant
-- The versions that x stands for.
select distinct d.namespace, d.name, v.version, v.version_key::varchar
from store.target($x) t
join store.version v using (version_key)
join store.dataset d on d.dataset_key = v.dataset_key
order by all;

-- name: content_facets
-- Of some versions what they hold, each key as it was said last, the fullest first.
select key, body
from store.version_facet
where version_key in (select unnest($keys)::uuid) and key in ('relineage_content', 'relineage_model')
order by key, json_type(body, '$.columns[0].leaves') is null, json_type(body, '$.columns[0]') is null,
         event_time desc, event_digest desc, location, ordinal;
