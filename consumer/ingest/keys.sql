-- How texts become keys and instants. Used by parse.sql and by the views over the cold tables alike.

-- Framed: the first length tells where the namespace ends, so two pairs never make one text.
create or replace macro store.name_key(namespace, name) as
    md5(strlen(namespace) || ':' || namespace || name)::uuid;

create or replace macro store.version_key(namespace, name, version) as
    md5(strlen(namespace) || ':' || namespace || strlen(name) || ':' || name || version)::uuid;

-- A UUID, with or without its hyphens, in braces, or as a URN.
create or replace macro store.is_uuid(text) as
    regexp_full_match(text, '(?i)\s*(urn:uuid:)?\{?([0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})\}?\s*');

-- A runId that is no UUID becomes a UUIDv8 (RFC 9562, section 5.8) from its text's MD5: 4 bits are the version, 2 the variant.
create or replace macro store.run_uuid(text) as
    case when store.is_uuid(text) then regexp_replace(lower(text), 'urn:uuid:|[{}\s]', '', 'g')
         else regexp_replace(md5(text), '^(.{12}).(.{3}).', '\18\2' || translate(substr(md5(text), 17, 1), '0123456789abcdef', '89ab89ab89ab89ab'))
    end::uuid;

-- A time as RFC 3339 and ISO 8601 write it, in UTC; without a zone it is taken as UTC. Null where it cannot be read.
-- The name of a region that Java adds in brackets says nothing that the offset before it has not said.
create or replace macro store.has_zone(text) as
    regexp_matches(text, '[Tt ][^\[]*([Zz]|[+-]\d\d(:?\d\d)?|[A-Za-z]{3})\s*(\[.*\]\s*)?$|[Tt ][^\[]*[A-Za-z]{3}');

create or replace macro store.instant(text) as
    case when regexp_matches(text, '^\s*\d{4}-\d{2}-\d{2}([Tt ]|\s*$)') then
        case when store.has_zone(text) then try_cast(regexp_replace(upper(text), '\[.*\]\s*$', '') as timestamptz) at time zone 'UTC'
             else try_cast(regexp_replace(upper(text), '\[.*\]\s*$', '') as timestamp) end
    end;

-- The members of a JSON object as a map. from_json gives null where a key stands twice (Spark's listener writes such
-- facets): there the last one counts, as in other JSON readers.
-- The body is named once, in a list for the lambda: else DuckDB would take it out of every event beforehand.
create or replace macro store.members(opened, object_body) as
    coalesce(opened, list_transform(case when opened is null then [object_body] end, lambda body:
        case when json_type(body) = 'OBJECT' then map_from_entries(list_filter(
            list_zip(json_keys(body), json_extract(body, '$.*')),
            lambda member, i: not list_contains(json_keys(body)[i + 1:], member[1]))) end)[1]);

-- A facet out of a map, null unless it is an object.
create or replace macro store.said(facets, key) as
    case when starts_with(facets[key], '{') then facets[key]::varchar end;

create or replace macro store.is_digest(text) as regexp_full_match(text, '[a-z0-9-]+:[0-9a-f]{16,}');

create or replace macro store.digest_rank(text) as
    coalesce(list_position(['b3-table1', 'b3-tensors1', 'b3-estimator1', 'b3-rows1', 'b3-weights1', 'b3-folder1', 'b3-bytes1'],
                           split_part(text, ':', 1)), 99);

-- The digest that names a content: the first there is of table, tensors, estimator, rows, weights, folder, bytes.
create or replace macro store.strongest(digests) as
    list_min(list_transform(digests, lambda d: struct_pack(rank := store.digest_rank(d), digest := d))).digest;

-- Without those of rounded values (`b3-table1-rounded6`), which are no identity: docs/digests.md, Comparison.
create or replace macro store.digests(facet_body) as
    list_filter(from_json(case when json_type(facet_body, '/digests') = 'ARRAY' then json_extract(facet_body, '$.digests') end, '["VARCHAR"]'),
                lambda d: d is not null and store.is_digest(d) and not contains(d, '-rounded'));

-- The version that an input or output declares: its producer's, else its strongest digest.
create or replace macro store.declared_version(version_facet, content_facet) as
    coalesce(nullif(version_facet ->> '$.datasetVersion', ''), store.strongest(store.digests(content_facet)));

create or replace macro store.is_distinctive(told_facet) as
    case when len(store.digests(told_facet)) > 0 then coalesce(try_cast(told_facet ->> '$.distinctive' as boolean), true) end;

-- The other names of a dataset that its symlinks or lifecycleStateChange facet tells: a list of (namespace, name).
create or replace macro store.other_names(key, body) as
    list_transform(
        list_filter(
            case
                when key = 'symlinks' and json_type(body, '/identifiers') = 'ARRAY' then
                    from_json(json_extract(body, '$.identifiers'), '[{"namespace": "JSON", "name": "JSON"}]')
                when key = 'lifecycleStateChange' and (body ->> '$.lifecycleStateChange') = 'RENAME' then
                    [from_json(json_extract(body, '$.previousIdentifier'), '{"namespace": "JSON", "name": "JSON"}')]
            end,
            lambda other: json_type(other.namespace) = 'VARCHAR' and json_type(other.name) = 'VARCHAR'),
        lambda other: struct_pack(namespace := other.namespace ->> '$', name := other.name ->> '$'));

-- What a JSON value says, if it is a text or number and not empty.
create or replace macro store.text_of(json_value) as
    case when not starts_with(json_value, '{') and not starts_with(json_value, '[') then nullif(json_value ->> '$', '') end;
create or replace macro store.text_at(body, path) as store.text_of(json_extract(body, path));

-- Facets of a run: its own rank above those that a child forwards of its parent, and these above those of its root.
create or replace macro store.location_rank(location) as
    case location when 'run' then 2 when 'job' then 2 when 'parent.run' then 1 when 'parent.job' then 1
                  when 'root.run' then 0 when 'root.job' then 0 end::tinyint;

create or replace macro store.step(body) as
    struct_pack(task := body ->> '$.task', recipe := body ->> '$.recipe', outcome := body ->> '$.outcome',
                asked := md5(json_extract(body, ['$.operation', '$.code', '$.parameters'])::varchar)::uuid,
                served_from := store.run_uuid(body ->> '$.servedFrom'));
-- What `relineage_seeds` says, taken apart once.
create or replace macro store.seeds_told(body) as
    from_json(body, '{"entropy": "VARCHAR", "derivedFrom": "VARCHAR", "uncovered": ["VARCHAR"], "libraries": [{"stateBefore": "VARCHAR", "stateAfter": "VARCHAR"}]}');

-- Sources of chance that a run has used and no seed fixes; those that nobody looked for left out. Null where there are none.
create or replace macro store.chance_used(uncovered) as
    nullif(list_filter(uncovered, lambda u: not starts_with(u, 'not observed: ')), []);

create or replace macro store.given(body) as try_cast(body ->> '$.given' as boolean);
create or replace macro store.seeds(body) as
    struct_pack(given := store.given(body), chance := md5(body ->> '$.entropy')::uuid, unfixed := store.chance_used(store.seeds_told(body).uncovered) is not null);
create or replace macro store.is_streaming(body) as
    case when body is null then null else coalesce(upper(body ->> '$.processingType') = 'STREAMING', false) end;
