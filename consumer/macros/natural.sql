-- In which order people find roles, names and the like: numbers in them as numbers, so that part[2] stands before part[10]. For what is
-- seen only; where an order decides something, such as which reads are counterparts, texts are texts.

-- What to order by. A number is written as how many digits it has, without zeros in front, and these.
create or replace macro store.natural(said) as {
    place: case when regexp_matches(said, '\d') then array_to_string(list_transform(regexp_extract_all(said, '\d+|\D+'), lambda part:
        case when regexp_matches(part, '^\d') then lpad(length(ltrim(part, '0'))::varchar, 4, '0') || ltrim(part, '0') else part end), '') else said end,
    said: said};

-- Texts in that order.
create or replace macro store.in_natural_order(texts) as
    list_transform(list_sort(list_transform(texts, lambda one: store.natural(one))), lambda one: one.said);
