"""`why` step by step, which is sooner than as one query: planned for what there is, and without what has nothing to do.

Decides which steps are left out, and which are taken again. What they do is in macros/why.sql, in which order in
queries/why_steps.sql.
"""

from __future__ import annotations

from collections import deque
from types import MappingProxyType

from . import engine
from .deep_pairs import guess_deep_pairs
from .named import named

# Each of these steps with the one without whose rows it has nothing to say.
NEEDS = MappingProxyType(
    {
        "serving": "served",
        "slot": "several",
        "role": "several",
        "more": "undecided",
        "more_writing": "undecided",
        "more_bound": "undecided",
        "twin": "shared",
        "twin_read": "shared",
        "content": "twin_read",
        "unsure": "twin_read",
        "link": "unsure",
        "linked_run": "link",
        "remaining": "missing",
        "chosen": "remaining",
        "every_link": "misguess",
        "every_linked_run": "misguess",
        "every_content": "misguess",
        "walk": "misguess",
        "walked": "misguess",
        "walked_chosen": "misguess",
        "walked_side": "misguess",
        "walked_pair": "misguess",
        "own": "doubtful",
        "outer": "around",
        "reordered": "silent",
        "inside": "raw",
        "lost": "unexplained",
        "far_way": "deeper",
    }
)

# What is done again where it matters which of several runs has written something.
AGAIN = ("guess", "deeper", "unbound", "again", "undecided", "more", "more_writing", "more_bound")


def take_steps(cursor: engine.DuckDBPyConnection, a: str, b: str) -> engine.DuckDBPyConnection:
    """The answer, to be fetched.

    Args:
        cursor: A connection of its own, in which temporary tables stay behind.
        a: One result.
        b: The other one.

    Raises:
        engine.InvalidInputException: One of them is unknown or ambiguous, or they cannot be compared.
    """
    rows: dict[str, int] = {}
    found = cursor.begin()  # all steps see one state
    steps = named("why_steps")
    todo = deque(steps)
    while todo:
        name = todo.popleft()
        if name in NEEDS and not rows.get(NEEDS[name]):
            continue
        found = cursor.execute(steps[name], {"a": a, "b": b} if "$a" in steps[name] else None)
        if name != "why":
            rows[name] = sum(row[0] for row in found.fetchall())
        if name == "deeper" and rows[name]:
            guess_deep_pairs(cursor)
        if name == "more_bound":
            todo.extendleft(reversed(AGAIN))
    return found
