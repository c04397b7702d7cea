"""The trace finds the runs that networkx finds, at the same distances.

The graph comes from the generator that also makes the events: run numbers are nodes, "wrote what the other
read" is an edge. Nothing here knows how the consumer stores or walks it.
"""

import random
from typing import Any

import networkx as nx
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from oracle import Store, downstream_of, upstream_of
from soak import examples
from streams import dataset, encode, event, facet, occurrence, run_id

Content = tuple[int, int]
"""A dataset's number and its version's."""

GRAPHS = examples(10, 200)


class Runs:
    """Runs in the order of their numbers: it reads at its start and writes at its end, before the next."""

    def __init__(self, reads: list[list[Content]], writes: list[list[Content]]) -> None:
        self.reads, self.writes = reads, writes

    def graph(self) -> nx.DiGraph:
        """Edges from writer to reader: the last writer before the reader, else the first one after it."""
        writers: dict[Content, list[int]] = {}
        for number, written in enumerate(self.writes):
            for content in written:
                writers.setdefault(content, []).append(number)
        graph = nx.DiGraph()
        graph.add_nodes_from(range(len(self.reads)))
        for number, read in enumerate(self.reads):
            for content in read:
                before = [writer for writer in writers.get(content, []) if writer < number]
                after = [writer for writer in writers.get(content, []) if writer > number]
                if before or after:
                    graph.add_edge(max(before) if before else min(after), number)
        return graph

    def every_edge(self) -> nx.DiGraph:
        """Edges from every other run that wrote what the reader read, whenever it did."""
        graph = nx.DiGraph()
        graph.add_nodes_from(range(len(self.reads)))
        for number, read in enumerate(self.reads):
            for writer, written in enumerate(self.writes):
                if writer != number and set(read) & set(written):
                    graph.add_edge(writer, number)
        return graph

    def messages(self) -> list[bytes]:
        made = []
        for number, (read, written) in enumerate(zip(self.reads, self.writes, strict=True)):
            inputs = tuple(entry(content) for content in read)
            outputs = tuple(entry(content) for content in written)
            made.append(encode(event(number, 2 * number, "START", inputs=inputs)))
            made.append(encode(event(number, 2 * number + 1, "COMPLETE", outputs=outputs)))
        return made


def entry(content: Content) -> Any:
    return dataset(("graph", f"d{content[0]}"), f"v{content[1]}")


def node(identifier: str) -> int:
    return int(identifier[-12:])


def above(store: Store, number: int) -> dict[int, int]:
    """run → the least depth at which it is a writer."""
    found: dict[int, int] = {}
    for row in upstream_of(store, run_id(number)):
        if row[7] is not None:
            found[node(row[7])] = min(row[0], found.get(node(row[7]), row[0]))
    return found


def below(store: Store, number: int) -> dict[int, int]:
    """run → its least distance as a reader; a reader at depth 0 is one step away."""
    found: dict[int, int] = {}
    for depth, _, reader in downstream_of(store, run_id(number)):
        if reader is not None:
            found[node(reader)] = min(depth + 1, found.get(node(reader), depth + 1))
    return found


def distances_below(graph: nx.DiGraph, number: int) -> dict[int, int]:
    """Shortest distances to the descendants; to the run itself the shortest way round, if there is one."""
    found = dict(nx.single_source_shortest_path_length(graph, number))
    around = [found[last] + 1 for last in graph.predecessors(number) if last in found]
    del found[number]
    return found | ({number: min(around)} if around else {})


def check(store: Store, runs: Runs, *, up: int, down: int) -> nx.DiGraph:
    graph = runs.graph()
    store.clear()
    store.ingest(runs.messages())
    assert above(store, up) == dict(nx.single_source_shortest_path_length(graph.reverse(copy=False), up))
    assert below(store, down) == distances_below(graph, down)
    return graph


@st.composite
def some_runs(draw: st.DrawFn, cycles: bool) -> Runs:
    """Few contents and several writers of each; some contents nobody writes."""
    size = draw(st.integers(2, 12))
    contents = [(number % 5, number // 5) for number in range(draw(st.integers(2, 9)))]
    chosen = st.lists(st.sampled_from(contents), max_size=3, unique=True)
    raw = [(9, 0)] if draw(st.booleans()) else []
    reads = [[*draw(chosen), *raw] for _ in range(size)]
    writes = [draw(chosen) for _ in range(size)]
    if not cycles:  # a content is read by runs after its first writer only
        first: dict[Content, int] = {}
        for number, written in enumerate(writes):
            for content in written:
                first.setdefault(content, number)
        reads = [
            [content for content in read if first.get(content, -1) < number]
            for number, read in enumerate(reads)
        ]
    return Runs(reads, writes)


@pytest.mark.soak
@pytest.mark.timeout(3600)  # for the time that finding the smallest counterexample takes
@pytest.mark.parametrize("cycles", [False, True])
def test_any_graph_has_the_ancestors_and_descendants_that_networkx_finds(
    cycles: bool, new_store: Any
) -> None:
    store: Store = new_store()

    @GRAPHS
    @given(some_runs(cycles))
    def law(runs: Runs) -> None:
        writing = [number for number, written in enumerate(runs.writes) if written]
        assume(writing)
        graph = check(store, runs, up=writing[-1], down=writing[0])
        assert cycles or nx.is_directed_acyclic_graph(graph)

    law()


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_all_producers_are_the_ancestors_over_every_writer(new_store: Any) -> None:
    store: Store = new_store()

    @GRAPHS
    @given(some_runs(cycles=True))
    def law(runs: Runs) -> None:
        writing = [number for number, written in enumerate(runs.writes) if written]
        assume(writing)
        store.clear()
        store.ingest(runs.messages())
        graph = runs.every_edge()
        asked = writing[-1]
        rows = store.sql(
            "select depth, writer_run_id, reader_run_id from upstream($x, all_producers := true)",
            {"x": run_id(asked)},
        )
        found: dict[int, int] = {}
        for depth, writer, _ in rows:
            if writer is not None:
                found[node(writer)] = min(depth, found.get(node(writer), depth))
        edges = {(node(writer), node(reader)) for _, writer, reader in rows if writer and reader}
        # What others wrote that the asked run wrote too is where the walk starts.
        starts = {asked} | {
            writer for writer, written in enumerate(runs.writes) if set(written) & set(runs.writes[asked])
        }
        assert found == dict(nx.multi_source_dijkstra_path_length(graph.reverse(copy=False), starts))
        assert edges == {edge for edge in graph.edges if edge[1] in found}

    law()


def test_a_feedback_loop_ends(new_store: Any) -> None:
    """Each model is trained on what the one before it predicted; the first on what the last predicted."""
    size = 40
    runs = Runs(
        [[((number - 1) % size, 0)] for number in range(size)], [[(number, 0)] for number in range(size)]
    )
    graph = check(new_store(), runs, up=0, down=17)
    assert len(nx.descendants(graph, 0)) == size - 1


def test_two_runs_that_feed_each_other_and_one_that_reads_its_own_output(new_store: Any) -> None:
    runs = Runs([[(1, 0), (0, 0)], [(0, 0), (1, 0)]], [[(0, 0)], [(1, 0)]])
    graph = check(new_store(), runs, up=0, down=1)
    assert set(graph.edges) == {(0, 1), (1, 0)}


def test_a_ladder_of_diamonds_is_walked_once_a_run(new_store: Any) -> None:
    """Sixty diamonds in a row: 2^60 ways, 181 runs."""
    reads: list[list[Content]] = [[]]
    writes: list[list[Content]] = [[(0, 0)]]
    for _ in range(60):
        top = len(reads) - 1
        reads += [[(top, 0)], [(top, 0)], [(top + 1, 0), (top + 2, 0)]]
        writes += [[(top + 1, 0)], [(top + 2, 0)], [(top + 3, 0)]]
    graph = check(new_store(), Runs(reads, writes), up=len(reads) - 1, down=0)
    assert len(graph) == 181


def test_a_chain_of_ten_thousand_steps_is_followed_to_its_end(new_store: Any) -> None:
    size = 10_000
    reads = [[(number - 1, 0)] for number in range(size)]  # the first reads what nobody wrote
    runs = Runs(reads, [[(number, 0)] for number in range(size)])
    store: Store = new_store()
    store.ingest(runs.messages())
    rows = upstream_of(store, run_id(size - 1))
    assert sorted(row[0] for row in rows) == list(range(size + 1))
    assert {node(row[7]): row[0] for row in rows if row[7]} == {
        size - 1 - depth: depth for depth in range(size)
    }
    assert [row[:7] for row in rows if row[7] is None] == [(size, "graph", "d-1", "v0", None, "", "unknown")]
    start = size - 2000
    assert below(store, start) == {start + steps: steps for steps in range(1, 2000)}


def test_whatever_a_read_is_bound_by_is_followed_at_any_depth(new_store: Any) -> None:
    """A chain of runs, each bound to the one before it in another way than that one; beside it others that are not."""
    size = 24
    ways = ["version", "content", "alias", "inferred", "version-late", "version"]
    messages = []
    for number in range(size):
        inputs, outputs = [], []
        for run, entries in ((number, inputs), (number + 1, outputs)):
            way = ways[run % len(ways)]
            written, name = entries is outputs, f"{way}{run}"
            if way == "content":
                of_content = {"digests": [f"b3-table1:{run:064x}"], "distinctive": True}
                entries.append(
                    dataset(("graph", name if written else f"{name} as read"), str(run), **of_content)
                )
            elif way == "alias" and not written:
                link = facet(identifiers=[{"namespace": "graph", "name": name, "type": "TABLE"}])
                entries.append(dataset(("graph", f"{name} as read"), "v", symlinks=link))
            else:
                entries.append(dataset(("graph", name), None if way == "inferred" else "v"))
        way = ways[(number + 1) % len(ways)]
        end = 105 + 10 * number + 10 * (way == "version-late")
        messages.append(encode(event(number, 100 + 10 * number, "START", inputs=tuple(inputs))))
        messages.append(encode(event(number, end, "COMPLETE", outputs=tuple(outputs))))
        if way != "version-late":  # it was written before, too, and right after it was read
            messages.append(encode(event(1000 + number, 1 + number, "COMPLETE", outputs=tuple(outputs))))
            messages.append(
                encode(event(3000 + number, 111 + 10 * number, "COMPLETE", outputs=tuple(outputs)))
            )
        if way != "inferred":  # and is handed on later
            io = {"relineage_io": occurrence("", end + 1, "forwarded")}
            handed_on = tuple(one | {"outputFacets": io} for one in outputs)
            messages.append(encode(event(2000 + number, end + 1, "COMPLETE", outputs=handed_on)))
    store: Store = new_store()
    store.ingest(messages)

    rows = upstream_of(store, run_id(size - 1))

    assert above(store, size - 1) == {size - 1 - depth: depth for depth in range(size)}
    assert below(store, 0) == {number: number for number in range(1, size)}
    hows = {"alias": "version"}
    assert [row[6] for row in sorted(rows)[1:-1]] == [
        hows.get(ways[run % len(ways)], ways[run % len(ways)]) for run in range(size - 1, 0, -1)
    ]


def test_a_wide_fan_in_and_out_keeps_every_edge(new_store: Any) -> None:
    """One run reads what five thousand wrote, and two thousand read what it wrote; some inputs are raw."""
    wide, readers = 5000, 2000
    chance = random.Random(3)
    raw = sorted(chance.sample(range(wide), 100))
    reads: list[list[Content]] = [[] for _ in range(wide)]
    writes = [[] if number in set(raw) else [(number, 0)] for number in range(wide)]
    reads += [[(number, 0) for number in range(wide)]] + [[(wide, 0)]] * readers
    writes += [[(wide, 0)]] + [[(wide + 1, number)] for number in range(readers)]
    runs = Runs(reads, writes)
    store: Store = new_store()
    graph = check(store, runs, up=wide + readers, down=wide)
    assert graph.in_degree(wide) == wide - len(raw)
    rows = upstream_of(store, run_id(wide))
    missing = sorted(row[2] for row in rows if row[7] is None)
    assert missing == sorted(f"d{number}" for number in raw)


def test_the_trace_starts_at_any_version_by_name(new_store: Any) -> None:
    """Three generations of one dataset; each version has its own past and future."""
    runs = Runs([[], [(0, 0)], [(0, 1)], [(0, 1)]], [[(0, 0)], [(0, 1)], [(0, 2)], [(1, 0)]])
    store: Store = new_store()
    store.ingest(runs.messages())
    for version, past, readers in ((0, {0}, {1, 2, 3}), (1, {0, 1}, {2, 3}), (2, {0, 1, 2}, set())):
        x = f"graph/d0@v{version}"
        assert {node(row[7]) for row in upstream_of(store, x)} == past
        assert {node(row[2]) for row in downstream_of(store, x) if row[2]} == readers
