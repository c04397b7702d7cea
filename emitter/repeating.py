"""`python -m relineage.emitter.repeating`: calls one function again, as the plan of a replay says.

Decides how arguments come back: parameters from the text of the literal that they were, data from files in the type
that held them. The function is a step, which records its call itself. Which calls can be repeated so is decided by the
consumer's `replay`.
"""

import ast
import asyncio
import importlib
import inspect
from collections import deque
from collections.abc import Mapping
from operator import attrgetter
from pathlib import Path
from typing import Any

from .replaying import current_plan

LITERALS = frozenset({"bool", "int", "complex", "bytes", "list", "tuple", "dict", "set", "None"})
"""Types of parameters whose text is a Python literal."""

CARRIERS = frozenset(
    {
        "pandas.DataFrame", "polars.dataframe.frame.DataFrame", "pyarrow.lib.Table", "numpy.ndarray", "torch.Tensor",
        "dict", "str", "bytes",
    }
)  # fmt: skip
"""Types of data that come back from a file of the store."""


def main() -> None:
    """Call the function of the plan, to its last item if it is a generator."""
    plan = current_plan()
    if plan is None or plan.call is None:
        raise SystemExit("there is no plan of a replay with a call")
    call = plan.call
    module, _, name = call["callable"].partition(":")
    function = attrgetter(name)(importlib.import_module(module))
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None or not Path(code.co_filename).is_relative_to(call["code"]):
        # Events are anybody's: whoever agreed to a replay agreed to the code of that snapshot, not to os.system.
        raise SystemExit(f"{call['callable']} is no function of the recorded code")
    arguments = {one["name"]: parameter(one["type"], one["value"]) for one in call["parameters"]}
    arguments |= {one["name"]: data(Path(one["file"]), one["carrier"]) for one in call["inputs"]}
    result = function(**arguments)
    if inspect.isgenerator(result):
        deque(result, maxlen=0)
    elif inspect.iscoroutine(result):
        asyncio.run(result)
    elif inspect.isasyncgen(result):
        asyncio.run(_to_the_end(result))


def parameter(type_: str, text: str) -> Any:
    """A parameter from its type and its text, as `values.text` writes it.

    Raises:
        ValueError: It is of no type that can be made again, or its text is no literal.
    """
    if type_ == "str":
        return text
    if type_ == "float":
        return float(text)
    if type_ not in LITERALS:
        raise ValueError(f"a {type_} cannot be made again from its text")
    if text == "set()":
        return set()
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ValueError(f"{text[:50]!r} is no literal of a {type_}") from error


def data(file: Path, carrier: str | None) -> Any:
    """What a file of the store holds, in the type that held it; the path where that was a file itself."""
    if carrier is None:
        return file
    if carrier == "bytes":
        return file.read_bytes()
    if carrier == "str":
        return file.read_text("utf-8")
    from .digests import content_of
    from .digests.loading import load

    found: Any = load(file, content_of(file))
    if carrier == "pandas.DataFrame":
        return found.to_pandas()
    if carrier == "polars.dataframe.frame.DataFrame":
        import polars

        return polars.from_arrow(found)
    if carrier == "numpy.ndarray":
        return found[""]
    if carrier == "torch.Tensor":
        import torch

        return torch.from_numpy(found[""])
    return found


async def _to_the_end(items: Any) -> None:
    async for _ in items:
        pass


def repeatable(parameters: list[Mapping[str, Any]]) -> bool:
    """Whether every parameter comes back from its text."""
    try:
        for one in parameters:
            parameter(str(one["type"]), str(one["value"]))
    except ValueError:
        return False
    return True


if __name__ == "__main__":
    main()
