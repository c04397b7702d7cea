-- What a database says of the objects in the store of contents.

-- name: referred
-- Every digest that is named anywhere in an event, whatever for; also in messages that could not be read as events.
select unnest(regexp_extract_all(body, 'b3-[a-z0-9]+:[0-9a-f]{64}')) from store.event
union
-- As they were read: in the JSON of somebody else the colon may be escaped.
select digest from store.version_digest
union
select unnest(regexp_extract_all(version, 'b3-[a-z0-9]+:[0-9a-f]{64}')) from store.version
union
select unnest(regexp_extract_all(body::varchar, 'b3-[a-z0-9]+:[0-9a-f]{64}')) from store.dead_letter;

-- name: of_thing
-- The digests of the versions that an x stands for, those of one version together; a version may be a digest itself.
with version as (select distinct version_key from store.target($x) where version_key is not null),
told as (
    select version_key, digest from store.version_digest semi join version using (version_key)
    union
    select version_key, version from store.version semi join version using (version_key)
    where regexp_full_match(version, 'b3-[a-z0-9]+:[0-9a-f]{64}')
)
select list(digest order by digest) as digests from told group by version_key order by digests;
