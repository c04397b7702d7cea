"""What is dear: a law tries a few examples in `make test`, which may take minutes, and many in `make soak`."""

import os

from hypothesis import HealthCheck, settings

SOAKING = bool(os.environ.get("RELINEAGE_SOAK"))


def examples(few: int, many: int) -> settings:
    """Settings of a law that builds a database for every example."""
    return settings(
        max_examples=many if SOAKING else few,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
    )
