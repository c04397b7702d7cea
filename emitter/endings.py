"""How a run ends that an exception leaves.

Decides what is a failure and what is a stop from outside: an interrupt, a cancelled task and a generator that
is closed early say nothing against the job. `sys.exit(0)` is how some programs complete. Pure.
"""


def ending_of(error: BaseException) -> tuple[str, str | None]:
    """How a run ends that this exception leaves: event type and message."""
    if isinstance(error, SystemExit):
        if error.code is None or error.code == 0:
            return "COMPLETE", None
        return "FAIL", f"SystemExit: {error.code}"
    if isinstance(error, KeyboardInterrupt | GeneratorExit) or type(error).__name__ == "CancelledError":
        return "ABORT", message_of(error)
    return "FAIL", message_of(error)


def message_of(error: BaseException) -> str:
    """The exception's kind and text; its kind alone where its text cannot be made."""
    try:
        text = str(error)
    except Exception:
        text = ""
    name = type(error).__qualname__
    return f"{name}: {text}" if text else name
