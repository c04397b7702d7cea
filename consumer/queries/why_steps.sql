-- The steps of `why` (macros/why.sql) one by one, as temporary tables of a connection of their own; why_steps.py takes them in this
-- order, and leaves out those that have nothing to look at.

-- name: target
-- The results side by side.
create temp table target as from store.targets_of($a, $b);

-- name: start
-- The runs that wrote them.
create temp table start as from store.first_pairs('target');

-- name: served
-- Runs that were answered from a cache.
create temp table served as from store.served_run;

-- name: serving
-- If there are any.
create temp view serving as from served;

-- name: none_serving
-- The planner leaves out what it knows to be empty, here and below.
create temp view if not exists serving as select null::uuid as run_id, null::uuid as served_from where false;

-- name: shared
-- Contents that others may hold, too.
create temp table shared as from store.twin;

-- name: twin
-- If there are any.
create temp view twin as from shared;

-- name: no_twin
-- If not.
create temp view if not exists twin as select null::uuid as version_key, null::ubigint as content where false;

-- name: several
-- Roles in which runs have read several things.
create temp table several as from store.role_of_several;

-- name: slot
-- There the role alone does not say what belongs together.
create temp table slot as from store.slots_of_several('several');

-- name: role
-- If there are any.
create temp view role as from several;

-- name: no_role
-- If not.
create temp view if not exists role as from several where false;

-- name: no_slot
-- If not.
create temp view if not exists slot as select null::bigint as read, null::ubigint as slot, null::boolean as by_role where false;

-- name: writing
-- Who has written what: to begin with of versions that were written once.
create temp table writing as from store.only_write;

-- name: bound
-- What was read of it.
create temp table bound as from store.slotted_reads('store.held_read', 'writing', 'role', 'slot', 'twin', 'serving') where out_role is not null;

-- name: guess
-- The runs to compare, guessed.
create or replace temp table guess as from store.guessed_pairs('start', 'bound', store.deepest_guess());

-- name: deeper
-- Whether there is more: then it is guessed in Python (deep_pairs.py).
create or replace temp table deeper as select run_a from guess where depth = store.deepest_guess();

-- name: held
-- What these have read besides.
create or replace temp view held as from store.held_by('guess') anti join bound using (read);

-- name: unbound
-- Nobody is known yet to have written that.
create or replace temp table unbound as from store.slotted_reads('held', 'writing', 'role', 'slot', 'twin', 'serving');

-- name: known
-- All together.
create or replace temp view known as from bound union all from unbound;

-- name: again
-- But what a run had written itself is no input of it.
create or replace temp table again as from store.read_again('known');

-- name: slotted
-- What may be compared.
create or replace temp view slotted as from known anti join again using (read);

-- name: undecided
-- Of which it matters who of several has.
create or replace temp table undecided as from store.versions_undecided('guess', 'slotted', 'writing');

-- name: more
-- Who has when.
create or replace temp table more as from store.write_spans('undecided');

-- name: more_writing
-- That counts, too.
insert into writing from more;

-- name: more_bound
-- What was read of it; with that they are guessed again (why_steps.py).
insert into bound from store.slotted_reads('store.held_read', 'more', 'role', 'slot', 'twin', 'serving') where out_role is not null;

-- name: twin_read
-- What they have read that others may hold, too.
create temp table twin_read as from store.twins_read('guess', 'twin');

-- name: content
-- What these hold.
create temp table content as from store.contents('twin_read');

-- name: no_content
-- If there are any.
create temp view if not exists content as from store.contents('twin') where false;

-- name: unsure
-- Those where other versions may decide who has written them.
create temp table unsure as from store.versions_unsure('twin_read');

-- name: link
-- What links these to others.
create temp table link as from store.links_around('unsure');

-- name: no_link
-- If there is anything.
create temp view if not exists link as from store.version_link where false;

-- name: linked_run
-- And their runs.
create temp table linked_run as from store.linked_runs('link');

-- name: no_linked_run
-- If there are any.
create temp view if not exists linked_run as from store.linked_runs('link') where false;

-- name: plain
-- What they have read, side by side, where nothing is to be chosen.
create temp table plain as from store.plain_reads('guess', 'slotted', 'link');

-- name: missing
-- Whether they have read more.
create temp table missing as from store.reads_missing('guess', 'plain');

-- name: remaining
-- Then this.
create temp table remaining as from store.reads_left('guess', 'plain');

-- name: chosen
-- Which belong together.
create temp table chosen as from store.chosen_reads('remaining', 'link', 'linked_run', 'serving');

-- name: none_chosen
-- If there is anything.
create temp view if not exists chosen as select * exclude (read_a, read_b) from plain where false;

-- name: matched
-- All of them.
create temp view matched as from store.matched_reads('plain', 'chosen');

-- name: side
-- Side by side.
create temp table side as from store.side_by_side('matched', 'content');

-- name: pair
-- How they are reached.
create temp table pair as from store.reached_pairs('start', 'side');

-- name: misguess
-- Where the guess is wrong.
create temp table misguess as from store.misguesses('guess', 'pair');

-- name: every_link
-- Then all that links versions counts.
create temp table every_link as from store.version_link;

-- name: every_linked_run
-- And all runs.
create temp table every_linked_run as from store.linked_runs('every_link');

-- name: every_content
-- And all contents that others may hold.
create temp table every_content as from store.contents('twin');

-- name: walk
-- And the pairs are walked.
create temp table walk as from store.walked_pairs('start', 'every_link', 'every_linked_run', 'every_content', 'serving');

-- name: walked
-- What these have read.
create temp table walked as from store.reads_of('walk');

-- name: walked_chosen
-- Which belong together.
create temp table walked_chosen as from store.chosen_reads('walked', 'every_link', 'every_linked_run', 'serving');

-- name: walked_side
-- Side by side.
create or replace temp table side as from store.side_by_side('walked_chosen', 'every_content');

-- name: walked_pair
-- As is how they are reached.
create or replace temp table pair as from store.reached_pairs('start', 'side');

-- name: judged
-- How far they are from the result, and whether they have read the same.
create temp table judged as from store.judged_pairs('pair', 'side');

-- name: level
-- Those that have.
create temp table level as select run_a, run_b from judged where level;

-- name: doubtful
-- Which may have been asked for something else, or have used chance.
create temp table doubtful as from store.doubtful_pairs('pair', 'level');

-- name: own
-- What that was, where it differs.
create temp table own as from store.asked_differences('doubtful');

-- name: nothing_own
-- None, where there is nothing to look at.
create temp table if not exists own (
    run_a uuid, run_b uuid, what varchar, key varchar, value_a varchar, value_b varchar, base_a varchar, base_b varchar, kind varchar, drawn boolean
);

-- name: silent
-- Where it was the same.
create temp table silent as from store.silent_pairs('level', 'own');

-- name: rewired
-- Where other things were handed over.
create temp table rewired as from store.rewired_pairs('side', 'own');

-- name: around
-- There it may have been the run around it.
create temp table around as from silent union from rewired;

-- name: outer
-- In what that was asked for.
insert into own by name from store.outer_differences('around', 'own');

-- name: reordered
-- Or the order of columns.
create temp table reordered as from store.order_differences('silent', 'side');

-- name: not_reordered
-- None, where there is nothing to look at.
create temp table if not exists reordered (run_a uuid, run_b uuid, slot varchar, value_a varchar, value_b varchar);

-- name: besides
-- Where the setting may have had an effect as well.
create temp table besides as from store.pairs_besides('judged', 'own');

-- name: looked
-- Where settings are compared.
create temp table looked as from store.pairs_looked_at('judged', 'besides', 'own', 'side');

-- name: place
-- In what they differ.
create temp table place as from store.setting_differences('looked');

-- name: raw
-- What differs and leads on to no other pair.
create temp table raw as from store.loose_ends('side', 'target');

-- name: inside
-- The columns, rows and tensors of that.
create temp table inside as from store.inside_differences('raw');

-- name: nothing_inside
-- None, where there is nothing to look at.
create temp table if not exists inside (run_a uuid, run_b uuid, slot varchar, what varchar, value_a varchar, value_b varchar);

-- name: ground
-- Which explanations there are.
create temp table ground as from store.explanations('start', 'judged', 'level', 'silent', 'side', 'own', 'reordered', 'place');

-- name: unexplained
-- Where there is none.
create temp table unexplained as from store.unexplained_pairs('ground');

-- name: lost
-- What is not recorded there.
create temp table lost as from store.not_recorded('unexplained');

-- name: nothing_lost
-- None, where there is nothing to look at.
create temp table if not exists lost (run_a uuid, run_b uuid, files varchar, parameters varchar, within varchar);

-- name: cause
-- What is told.
create temp table cause as
from store.causes($a, $b, 'target', 'raw', 'inside', 'reordered', 'own', 'place', 'besides', 'ground', 'unexplained', 'lost');

-- name: told
-- The same only once.
create temp table told as from store.told_causes('cause', 'pair');

-- name: shown
-- In which pairs.
create temp table shown as from store.pairs_shown('told');

-- name: far_way
-- From there to the result, if it may be far.
create temp table way as from store.far_ways('shown', 'pair');

-- name: way
-- If not.
create temp view if not exists way as from store.ways('shown', 'pair');

-- name: why
-- First causes, ranked.
from store.ranked_causes('told', 'way');
