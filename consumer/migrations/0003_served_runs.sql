-- Which run computed what a cached step handed out, so that `why` compares that one. Null in rows from before; `relineage rebuild`
-- fills it in.
alter table store.run add column served_from uuid;
comment on column store.run.served_from is 'The run whose outputs were handed out instead of computing them again.';
