"""The chance of one run: where its entropy comes from, and what of chance it has used.

Decides that a run with a seed starts from that, an inner one without from the run around it, one in a seeded worker
process from the worker's, any other from the operating system, and one that is replayed from what was recorded; and
what a run tells the one around it. How generators are seeded and put back is decided in `seeds/`.
"""

import itertools
from collections.abc import Mapping

from .replaying import current_plan
from .seeds import Entropy, Seeding, SeedRecord, child_entropy, entropy_in_worker, entropy_of

SEEDED = "seeded"  # of what was used: generators that the seeds fix


class Chance:
    """Of one run; it begins and ends with it.

    Args:
        seed: What the run was given; null if nothing.
        environ: Environment variables.
        deterministic: Set the determinism switches, too.
    """

    def __init__(self, seed: Entropy | None, environ: Mapping[str, str], *, deterministic: bool) -> None:
        """Nothing is drawn or seeded before it begins."""
        self._seed = seed
        self._environ = environ
        self._deterministic = deterministic
        self._outer: Chance | None = None
        self._job = ""
        self._entropy: Entropy | None = None
        self._seeding: Seeding | None = None
        self._inner: dict[str, itertools.count[int]] = {}
        self._within: set[str] = set()  # what the runs inside of this one, and results handed out, have used

    @property
    def given(self) -> int | None:
        """The seed that counts for the recipe; null if nobody chose any."""
        return self._entropy.value if self._entropy is not None and self._entropy.given else None

    def begin(self, namespace: str, job: str, outer: "Chance | None") -> None:
        """Decide the entropy and seed the generators."""
        self._outer, self._job = outer, job
        self._entropy = self._decided(namespace)
        self._seeding = Seeding(self._entropy, self._environ, deterministic=self._deterministic)
        self._seeding.begin()

    def own(self) -> Seeding:
        """What gives generators and seeds of the run's own; where it has none, the job still gets some, of nobody's."""
        return self._seeding or Seeding(entropy_of(None), self._environ)

    def pause(self) -> None:
        """Give the caller's generators back for a while."""
        if self._seeding is not None:
            self._seeding.pause()

    def resume(self) -> None:
        """Go on with the run's own."""
        if self._seeding is not None:
            self._seeding.resume()

    def settle(self) -> None:
        """Give the caller's generators back, and tell the run around what was used; again: nothing more."""
        if self._seeding is None:
            return
        self._seeding.end()
        if self._outer is None:
            return
        used = self.used()
        self._outer.also_used(used)
        if SEEDED in used and self._seed is None and self._outer._seeding is not None:
            self._outer._seeding.drew_within(self._job, self._seeding.entropy)

    def end(self) -> None:
        """Give the caller's generators back, whatever has happened."""
        if self._seeding is not None:
            self._seeding.end()

    def used(self) -> set[str]:
        """What was used so far, inner runs included: `seeded` generators, and sources that nothing fixed."""
        if self._seeding is None:
            return {"generators that could not be seeded"}
        record = self._seeding.record()
        used = set(record.uncovered)
        if any(one.state_before is None or one.state_after != one.state_before for one in record.libraries):
            used.add(SEEDED)
        return used | self._within

    def also_used(self, used: set[str]) -> None:
        """What was used by whoever worked for this run."""
        self._within |= used

    def record(self, variables: Mapping[str, str] | None = None) -> SeedRecord | None:
        """What there is to say; null if seeding failed. `variables` as for `Seeding.record`."""
        return self._seeding.record(variables) if self._seeding is not None else None

    def _decided(self, namespace: str) -> Entropy:
        plan = current_plan()
        planned = plan.begun(namespace, self._job) if plan is not None else None
        if planned is not None and plan is not None and plan.call is not None:
            # By itself, it has no others to be counted among.
            return Entropy(value=planned[0], given=planned[1])
        if self._seed is not None:
            return self._seed
        if self._outer is not None and self._outer._entropy is not None:
            return self._outer._of_inner(self._job)
        if (entropy := entropy_in_worker(self._job)) is not None:
            return entropy
        return entropy_of(None) if planned is None else Entropy(value=planned[0], given=False)

    def _of_inner(self, job: str) -> Entropy:
        """The entropy of the next inner run of that job."""
        assert self._entropy is not None
        ordinal = next(self._inner.setdefault(job, itertools.count()))
        here = self._entropy if self._seeding is None else self._seeding.here()
        return child_entropy(here, job, ordinal)
