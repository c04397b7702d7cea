"""torch's generators: the processor's, and one for each device of CUDA, XPU and Apple's MPS.

Decides that all of them get one seed, as `torch.manual_seed` gives them, and that torch is never made to do what
the job has not asked for: a device that has not been started is not started, and its seed waits until it is.
Whoever calls `torch.manual_seed` waits half a millisecond for torch's note of who did; hence one by one.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

_ACCELERATORS = ("cuda", "xpu")  # both alike: lazily started, one generator a device


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """An accelerator that had not been started: what torch keeps until it is.

    Attributes:
        calls: What the tracker of seeds held.
    """

    calls: dict[str, Any]


class Torch:
    """`torch`, by device."""

    module = "torch"
    rule = "torch.manual_seed(seed % 2**64)"

    def take(self) -> dict[str, Any]:
        """A tensor of bytes for each device that is in use."""
        torch = sys.modules["torch"]
        states: dict[str, Any] = {"torch": torch.default_generator.get_state()}
        for kind in _ACCELERATORS:
            device = _usable(torch, kind)
            if device is None:
                continue
            if device.is_initialized():
                for number, generator in enumerate(device.default_generators):
                    states[f"torch.{kind}:{number}"] = generator.get_state()
            elif (tracker := _tracker(device)) is not None:
                states[f"torch.{kind}"] = Waiting(calls=dict(vars(tracker)))
        if _has_mps(torch):
            states["torch.mps"] = torch.mps.get_rng_state()
        return states

    def seed(self, words: Callable[[str], list[int]]) -> dict[str, int]:
        """With 64 bits, of which the processor's generator takes the lower 32."""
        torch = sys.modules["torch"]
        low, high, *_ = words("torch")
        seed = low | high << 32
        torch.default_generator.manual_seed(seed)
        seeds = {"torch": seed}
        for kind in _ACCELERATORS:
            device = _usable(torch, kind)
            if device is None:
                continue
            if device.is_initialized():
                for number, generator in enumerate(device.default_generators):
                    generator.manual_seed(seed)
                    seeds[f"torch.{kind}:{number}"] = seed
            elif (tracker := _tracker(device)) is not None:
                tracker.queue_seed_all(_seeding_all(device, seed), [])
            else:
                device.manual_seed_all(seed)
        if _has_mps(torch):
            torch.mps.manual_seed(seed)
            seeds["torch.mps"] = seed
        return seeds

    def put_back(self, states: Mapping[str, Any]) -> None:
        """What was in use as it was; what was started meanwhile as it would have started."""
        torch = sys.modules["torch"]
        torch.default_generator.set_state(states["torch"])
        for kind in _ACCELERATORS:
            device = _usable(torch, kind)
            if device is None:
                continue
            waiting = states.get(f"torch.{kind}")
            if not device.is_initialized():
                if waiting is not None and (tracker := _tracker(device)) is not None:
                    vars(tracker).clear()
                    vars(tracker).update(waiting.calls)
                continue
            for number, generator in enumerate(device.default_generators):
                if (state := states.get(f"torch.{kind}:{number}")) is not None:
                    generator.set_state(state)
                else:
                    generator.seed()  # as torch begins: from the operating system
            if waiting is not None and (tracker := _tracker(device)) is not None:
                for call, _ in _calls(tracker, waiting):
                    call()
        if "torch.mps" in states:
            torch.mps.set_rng_state(states["torch.mps"])

    def plain(self, state: Any) -> bytes | None:
        """Its bytes."""
        return None if isinstance(state, Waiting) else bytes(state.numpy().tobytes())

    def may_be_seeded_after_fork(self) -> bool:
        """Its lock cannot be looked at."""
        return False


def _usable(torch: Any, kind: str) -> Any:
    device = getattr(torch, kind, None)
    if device is None or getattr(device, "_is_in_bad_fork", lambda: False)():
        return None  # after a fork a started device can only raise
    if device.is_initialized():
        return device
    built = torch.version.cuda or torch.version.hip if kind == "cuda" else getattr(torch.version, "xpu", None)
    return device if built else None


def _tracker(device: Any) -> Any:
    """Where torch keeps the seeds for a device that has not been started; null if it does so no longer."""
    tracker = getattr(device, "_lazy_seed_tracker", None)
    return tracker if hasattr(tracker, "queue_seed_all") and hasattr(tracker, "get_calls") else None


def _calls(tracker: Any, waiting: Waiting) -> list[tuple[Callable[[], object], object]]:
    other = type(tracker)()
    vars(other).update(waiting.calls)
    return [call for call in other.get_calls() if call]


def _seeding_all(device: Any, seed: int) -> Callable[[], None]:
    def seed_all() -> None:
        for generator in device.default_generators:
            generator.manual_seed(seed)

    return seed_all


def _has_mps(torch: Any) -> bool:
    mps = getattr(torch.backends, "mps", None)
    if mps is None or not mps.is_built() or getattr(torch.mps, "_is_in_bad_fork", lambda: False)():
        return False
    return bool(mps.is_available())
