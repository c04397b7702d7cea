"""What belongs to x: enough for the same answers, and no more of other people's runs than that."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from oracle import HASHES, Oracle, Store, in_order
from streams import Stream, streams

from relineage.consumer.bundle.closure import Closure
from relineage.consumer.errors import BundleError, QuestionError

LAW = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)

UPSTREAM = "select * exclude (also_written_by) from upstream($x)"
OF_RUNS = {
    view: f"select * from {view} where run_id in (select unnest($runs))"
    for view in ("runs", "inputs", "outputs", "seeds", "parameters", "metrics", "environments")
}


def send(store: Store, messages: list[bytes]) -> None:
    store.clear()
    store.ingest(messages)


def bodies(closure: Closure) -> list[bytes]:
    return [one.body for one in closure.events()]


def worth_asking(stream: Stream) -> list[str]:
    known = Oracle(stream, HASHES["md5"])
    runs = sorted({touch.run_id for touch in known.writes + known.reads})
    names = sorted({"/".join(touch.dataset) for touch in known.writes})
    digests = sorted({digest for digests in known.digests.values() for digest in digests})
    return [f"run:{one}" for one in runs[:1]] + [f"dataset:{one}" for one in names[:1]] + digests[:1]


@pytest.mark.timeout(900)
def test_answers_from_the_events_of_the_closure_are_those_of_the_database(new_store: Any) -> None:
    whole, part = new_store(), new_store()

    @LAW
    @given(streams(wide=True))
    def law(stream: Stream) -> None:
        send(whole, stream)
        for x in worth_asking(stream):
            try:
                closure = Closure(whole.connection, x)
            except (BundleError, QuestionError):  # no run made it, or it is several things
                continue
            events = bodies(closure)
            send(part, events)
            for query in (UPSTREAM, "from reproducibility($x)"):
                expected = in_order(whole.sql(query, {"x": x}))
                assert in_order(part.sql(query, {"x": closure.of.x})) == expected, (x, query)
            for view, query in OF_RUNS.items():
                expected = in_order(whole.sql(query, {"runs": list(closure.runs)}))
                assert repr(in_order(part.sql(query, {"runs": list(closure.runs)}))) == repr(expected), view
            again = Closure(part.connection, closure.of.x)
            assert (again.of, again.runs, again.besides) == (closure.of, closure.runs, closure.besides)
            assert bodies(again) == events
            closure.close()
            again.close()

    law()
