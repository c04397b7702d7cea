"""What is kept from the JSON parser, and how arrays of messages are split."""

import json
from hashlib import sha256

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relineage.consumer.ingest.batch import MAX_BYTES, MAX_DEPTH, Batch, Message, Moved, Staged

ONE, TWO = b'{"a":1}', b'{ "b" : [2, "]"] }'


def staged(*bodies: bytes | None) -> Staged:
    return Batch([Message(body=body, source="s", offset=n) for n, body in enumerate(bodies)]).staged()


def texts(result: Staged) -> list[str]:
    found = [body if isinstance(body, str) else body.decode() for body in result.message["body"].to_pylist()]
    assert all(isinstance(text, str) for text in found)
    return found


def reasons(result: Staged) -> list[str]:
    found: list[str] = result.letter["reason"].to_pylist()
    return found


@pytest.mark.parametrize(
    ("body", "elements"),
    [
        (b"[%s]" % ONE, [ONE]),
        (b"[%s,%s]" % (ONE, TWO), [ONE, TWO]),
        (b" [ %s ,\n%s ]\r\n" % (ONE, TWO), [ONE, TWO]),
        (b"\xef\xbb\xbf[%s]" % ONE, [ONE]),
        (b"[%s,]" % ONE, [ONE]),  # DuckDB's reader allows a comma after the last one
        (b"[]", []),
        (b"[1,null,[2,3]]", [b"1", b"null", b"[2,3]"]),
        (b'["a,b", "\\"],[", {}]', [b'"a,b"', b'"\\"],["', b"{}"]),
    ],
)
def test_an_array_is_split_into_its_elements_as_they_stand(body: bytes, elements: list[bytes]) -> None:
    result = staged(body)
    assert texts(result) == [element.decode() for element in elements]
    assert reasons(result) == []
    expected = [sha256(element).hexdigest()[:32] for element in elements]
    assert result.message["digest"].to_pylist() == expected  # each is an event of its own
    assert set(result.message["offset"].to_pylist()) <= {0}  # at its message's place


@pytest.mark.parametrize("body", [b"[1", b"[1]]", b"[1][2]", b"[{]", b"]", b"[1] x"])
def test_what_is_not_quite_an_array_is_left_whole(body: bytes) -> None:
    result = staged(body)
    assert texts(result) == [body.decode()]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
    max_leaves=20,
)


@given(st.lists(json_values.filter(lambda value: value != ""), min_size=1), st.sampled_from([None, 0, 2]))
def test_every_json_array_comes_apart_into_what_it_holds(values: list[object], indent: int | None) -> None:
    result = staged(json.dumps(values, indent=indent, ensure_ascii=False).encode())
    assert [json.loads(text) for text in texts(result)] == values


def test_an_element_can_be_a_letter_beside_its_good_neighbours() -> None:
    deep = b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1)
    result = staged(b"[%s,%s,%s]" % (ONE, deep, TWO))
    assert texts(result) == [ONE.decode(), TWO.decode()]
    assert reasons(result) == [f"nested {MAX_DEPTH + 1} deep, more than {MAX_DEPTH}"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (None, "no value"),
        (b"", "no value"),
        (b"  \n", "no value"),
        (b"\xff\xfe{\x00}\x00", "not UTF-8 at byte 0"),
        (b'{"a":"\xed\xa0\x80"}', "not UTF-8 at byte 6"),
        (b'{"a":' * 201 + b"1" + b"}" * 201, "nested 201 deep, more than 200"),
        (b"{" * 100_000, "nested 100000 deep, more than 200"),
        (b'{"a":"%s"}' % (b"x" * MAX_BYTES), "larger than 32 MB"),
    ],
    ids=["none", "empty", "blank", "UTF-16", "surrogate", "201 deep", "100,000 deep", "32 MB"],
)
def test_what_the_parser_must_not_see_is_a_letter(body: bytes | None, reason: str) -> None:
    result = staged(ONE, body, TWO)
    assert texts(result) == [ONE.decode(), TWO.decode()]
    assert result.letter.select(["offset", "reason", "body"]).to_pylist() == [
        {"offset": 1, "reason": reason, "body": body}
    ]


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":' * 200 + b"1" + b"}" * 200,
        b'{"a":"%s"}' % (b"[{" * 1000),
        b'{"a":"\\"%s"}' % (b"[{" * 1000),
        b"{%s}" % b",".join(b'"%d":{}' % n for n in range(1000)),
        b'{"a":"%s"}' % (b"x" * (MAX_BYTES - 8)),
    ],
    ids=["200 deep", "brackets in a text", "after an escaped quote", "side by side", "just 32 MB"],
)
def test_what_looks_like_it_but_is_not_passes(body: bytes) -> None:
    assert reasons(staged(body)) == []


@given(
    st.lists(st.text('[]{}"\\\n,:a'), min_size=1), st.integers(MAX_DEPTH - 3, MAX_DEPTH + 3), st.booleans()
)
def test_only_brackets_outside_of_texts_make_a_message_deep(
    inner: list[str], lists: int, in_front: bool
) -> None:
    deep: object = {"a": 1}
    for _ in range(lists):
        deep = [*inner, deep] if in_front else [deep, *inner]
    depth = 2 + lists
    expected = [f"nested {depth} deep, more than {MAX_DEPTH}"] if depth > MAX_DEPTH else []
    assert reasons(staged(json.dumps({"b": deep}).encode())) == expected


def test_a_mark_of_the_byte_order_is_handed_on() -> None:
    """parse.sql passes over it; a dead letter keeps it."""
    assert texts(staged(b"\xef\xbb\xbf" + ONE)) == ["\ufeff" + ONE.decode()]


def test_halves_hold_every_message_once_and_only_the_second_moves_on() -> None:
    messages = [Message(body=ONE, source="s", offset=n) for n in range(5)]
    moved = [Moved(source="s", next_offset=5)]
    first, second = Batch(messages, moved).halves()
    assert [*first.messages, *second.messages] == messages
    assert (first.moved, second.moved) == ((), moved)


def test_a_letter_of_a_message_leaves_nothing_to_parse() -> None:
    messages = [Message(body=ONE, source="s", offset=7, topic="t", partition=3)]
    letter = Batch(messages, [Moved(source="s", partition=3, next_offset=8)]).as_letter("because")
    normal = staged(ONE)
    assert letter.message.num_rows == 0
    assert letter.message.schema == normal.message.schema  # the statements see the same types
    assert letter.letter.select(["source", "topic", "partition", "offset", "reason", "body"]).to_pylist() == [
        {"source": "s", "topic": "t", "partition": 3, "offset": 7, "reason": "because", "body": ONE}
    ]
    assert letter.moved["next_offset"].to_pylist() == [8]
    assert pa.types.is_string(letter.message.schema.field("body").type)


placed = st.builds(
    Message,
    body=st.none() | st.binary(max_size=9) | st.text(max_size=9).map(str.encode),
    source=st.text(max_size=3),
    offset=st.integers(-(2**63), 2**63 - 1),
    topic=st.none() | st.text(max_size=3),
    partition=st.none() | st.integers(-(2**31), 2**31 - 1),
)


@given(st.lists(placed, max_size=20))
def test_what_is_staged_is_what_came_and_valid_arrow(messages: list[Message]) -> None:
    messages = [m for m in messages if not (m.body or b"").strip().startswith(b"[")]
    result = Batch(
        messages, [Moved(source=m.source, next_offset=m.offset, topic=m.topic) for m in messages]
    ).staged()
    for table in (result.message, result.letter, result.moved):
        table.validate(full=True)
    names = ("source", "topic", "partition", "offset", "body")
    rows = [tuple(getattr(m, name) for name in names) for m in messages]
    told = result.letter.select(names).to_pylist() + [
        {**row, "body": row["body"].encode()} for row in result.message.select(names).to_pylist()
    ]
    assert sorted(map(repr, rows)) == sorted(repr(tuple(row.values())) for row in told)
    assert result.moved["topic"].to_pylist() == [m.topic for m in messages]
    assert result.moved["fingerprint"].null_count == len(messages)


def test_sizes_are_those_of_the_bodies() -> None:
    assert Batch([Message(body=body, source="s", offset=0) for body in (ONE, None, TWO)]).bytes == len(
        ONE + TWO
    )
