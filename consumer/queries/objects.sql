-- What a database says of the objects in the store of contents.

-- name: referred
-- Every digest that something recorded refers to, whatever for; also in messages that could not be read as events.
select digest from store.version_digest
union
select unnest(regexp_extract_all(body, 'b3-[a-z0-9]+:[0-9a-f]{64}')) from store.facet where key = 'relineage_content'
union
select unnest(regexp_extract_all(body::varchar, 'b3-[a-z0-9]+:[0-9a-f]{64}')) from store.dead_letter;

-- name: of_thing
-- The digests of the versions that an x stands for, those of one version together.
select list(distinct g.digest order by g.digest) as digests
from store.target($x) t join store.version_digest g using (version_key)
group by version_key
order by digests;
