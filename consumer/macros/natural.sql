-- In which order people find roles, names and the like: numbers in them as numbers, so that part[2] stands before part[10]. For what is
-- seen only; where an order decides something, such as which reads are counterparts, texts are texts.

-- What to order by: the text with its numbers filled up with zeros, of 20 digits at least.
create or replace macro store.natural(said) as {
    place: array_to_string(list_transform(regexp_extract_all(said, '\d+|\D+'), lambda part:
        case when part[1] between '0' and '9' then lpad(part, greatest(20, length(part))::int, '0') else part end), ''),
    said: said};

-- Texts in that order.
create or replace macro store.in_natural_order(texts) as
    list_transform(list_sort(list_transform(texts, lambda one: store.natural(one))), lambda one: one.said);
