"""`python -m demo.modalities [--model FOLDER]`: texts, images and sounds become vectors, step by step.

What each step computes is real and small: texts are embedded by latent semantic analysis or, with `--model`, by
`all-MiniLM-L6-v2` (`minilm.py`), images by their edges and brightness, sounds by their spectrogram. Asked a second time
for the same, steps with `cache` answer without computing. Steps need nothing special for this; they say what modality
comes out.
"""

import argparse
import contextlib
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.signal

from relineage.emitter import Lineage

from .minilm import MiniLM

Array = np.ndarray[Any, np.dtype[Any]]
SAMPLES_PER_SECOND = 8000
TEXTS = [
    "A man is eating food.", "A man is eating a piece of bread.", "The girl is carrying a baby.",
    "A man is riding a horse.", "A woman is playing violin.", "Two men pushed carts through the woods.",
    "A man is riding a white horse on an enclosed ground.", "A monkey is playing drums.",
    "A cheetah is running behind its prey.",
]  # fmt: skip
QUERY = "A man is eating pasta."

lineage = Lineage(namespace="modalities")


@lineage.step(inputs=["texts"], modality="embedding", cache="dirty")
def embed_texts(texts: list[str], dimensions: int = 6) -> Array:
    """Latent semantic analysis: each text as its part in the strongest directions of the weighted counts of words."""
    documents = [re.findall(r"\w+", text.lower()) for text in texts]
    words = sorted({word for words in documents for word in words})
    counts = np.array([[document.count(word) for word in words] for document in documents], float)
    rarity = np.log((1 + len(texts)) / (1 + (counts > 0).sum(axis=0))) + 1
    weighted = counts * rarity
    left, strengths, _ = np.linalg.svd(weighted, full_matrices=False)
    vectors = left[:, :dimensions] * strengths[:dimensions]
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12))


@lineage.step(inputs=["texts"], modality="embedding", cache="dirty")
def embed_texts_by_model(texts: list[str], model: Path) -> Array:
    """By the model in a folder: its content is an input, so another model is another task."""
    return MiniLM.load(model).embed(texts)


@lineage.step(modality="image")
def draw_images(count: int = 12, side: int = 32) -> Array:
    """Bright discs on noise."""
    across = np.arange(side)
    centres = np.random.uniform(side * 0.3, side * 0.7, size=(count, 2))
    distance = np.hypot(
        across[None, :, None] - centres[:, :1, None], across[None, None, :] - centres[:, 1:, None]
    )
    noise = np.random.normal(scale=0.1, size=(count, side, side))
    return np.asarray((distance < side / 4) * 0.8 + noise, np.float32)


@lineage.step(modality="embedding", cache="dirty")
def embed_images(images: Array, directions: int = 8, cells: int = 4) -> Array:
    """Each image as its brightness in cells and a histogram of the directions of its edges."""
    down, right = np.gradient(images, axis=(1, 2))
    strength, angle = np.hypot(down, right), np.arctan2(down, right)
    sector = ((angle + np.pi) / (2 * np.pi) * directions).astype(int) % directions
    edges = np.stack([(strength * (sector == one)).sum(axis=(1, 2)) for one in range(directions)], axis=1)
    count, side, _ = images.shape
    bright = (
        images.reshape(count, cells, side // cells, cells, side // cells).mean(axis=(2, 4)).reshape(count, -1)
    )
    vectors = np.concatenate([edges / edges.sum(axis=1, keepdims=True), bright], axis=1)
    return np.asarray(vectors, np.float32)


@lineage.step(modality="audio")
def play(seconds: float = 1.0, lowest: float = 200.0, highest: float = 2000.0) -> Array:
    """A tone that rises, with some noise; frequencies in Hz."""
    time = np.arange(int(seconds * SAMPLES_PER_SECOND)) / SAMPLES_PER_SECOND
    tone = scipy.signal.chirp(time, lowest, seconds, highest)
    return np.asarray(tone + np.random.normal(scale=0.05, size=time.shape), np.float32)


class Spectrogram(NamedTuple):
    """Power in decibels over frequency (Hz, downwards) and time (s, across)."""

    decibels: Array
    hertz: Array
    seconds: Array


@lineage.step(modality={"decibels": "audio"}, cache="dirty")
def spectrogram(sound: Array, window: int = 256) -> Spectrogram:
    """The sound's power in windows of so many samples."""
    hertz, seconds, power = scipy.signal.spectrogram(sound, SAMPLES_PER_SECOND, nperseg=window)
    return Spectrogram(np.asarray(10 * np.log10(power + 1e-12), np.float32), hertz, seconds)


def main() -> None:
    """Everything twice: the second time the steps with a cache are answered."""
    parser = argparse.ArgumentParser(description="Texts, images and sounds become vectors.")
    parser.add_argument("--model", type=Path, help="a folder with all-MiniLM-L6-v2")
    model = parser.parse_args().model
    for _ in range(2):
        with lineage.run("modalities", seed=42):
            texts = [QUERY, *TEXTS]
            vectors = embed_texts(texts) if model is None else embed_texts_by_model(texts, model)
            images = embed_images(draw_images())
            heard = spectrogram(play())
    likeness = vectors[1:] @ vectors[0]
    for place in np.argsort(-likeness)[:3]:
        print(f"{likeness[place]:.4f}  {TEXTS[place]}")
    loudest = heard.hertz[heard.decibels.argmax(axis=0)]
    print(f"{len(images)} images as {images.shape[1]} numbers each")
    print(f"a tone that rises from {loudest[0]:.0f} to {loudest[-1]:.0f} Hz")


if __name__ == "__main__":
    with contextlib.closing(lineage):
        main()
