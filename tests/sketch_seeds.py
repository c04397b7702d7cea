"""The sketch whose defects S1 to S13 are: as it was printed, with the imports that it lacked and without comments.
(What it does with torch stays as it was; here it is not installed.)"""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass
class SeedState:
    python_seed: int
    numpy_seed: int
    torch_seed: int | None
    cuda_seed: int | None
    system_seed: int

    def apply(self) -> None:
        random.seed(self.python_seed)
        np.random.seed(self.numpy_seed)

        try:
            import torch

            torch.manual_seed(self.torch_seed)
            if torch.cuda.is_available():
                torch.cuda.manual_seed_all(self.cuda_seed)
        except ImportError:
            pass

    @staticmethod
    def from_master_seed(master_seed: int) -> "SeedState":
        def derive_seed(name: str) -> int:
            return hash((master_seed, name)) & 0xFFFFFFFF

        return SeedState(
            python_seed=derive_seed("python"),
            numpy_seed=derive_seed("numpy"),
            torch_seed=derive_seed("torch"),
            cuda_seed=derive_seed("cuda"),
            system_seed=master_seed,
        )


class ReproducibleTransform:
    def __init__(self, transform_fn: Callable[..., Any], seed: int):
        self.transform_fn = transform_fn
        self.seed_state = SeedState.from_master_seed(seed)
        self.execution_count = 0

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        python_state = random.getstate()
        numpy_state = np.random.get_state()

        try:
            self.seed_state.apply()
            result = self.transform_fn(*args, **kwargs)
            self.execution_count += 1
            return result

        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)

    def get_lineage_metadata(self) -> dict[str, Any]:
        return {
            "transform": self.transform_fn.__name__,
            "seed_state": {
                "python": self.seed_state.python_seed,
                "numpy": self.seed_state.numpy_seed,
                "torch": self.seed_state.torch_seed,
            },
            "execution_count": self.execution_count,
            "reproducibility_level": "exact",
        }


def augment_images(images: np.ndarray, flip_prob: float = 0.5) -> np.ndarray:
    augmented = images.copy()

    for i in range(len(augmented)):
        if np.random.random() < flip_prob:
            augmented[i] = np.fliplr(augmented[i])

        angle = np.random.uniform(-15, 15)  # noqa: F841  # its defect S11

    return augmented
