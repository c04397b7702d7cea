"""The example of texts, images and sounds as people run it, and its embedding model."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from emitted import events_in
from safetensors.numpy import save_file
from step_events import content, step_of

from demo.minilm import MiniLM

ROOT = Path(__file__).resolve().parents[1]
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "man", "eat", "##s", "##ing", "cafe", ".", "!"]
SIZE = 8


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the same build with few and arbitrary weights."""
    folder = tmp_path_factory.mktemp("model")
    chance = np.random.default_rng(5)
    shapes = {
        "embeddings.word_embeddings.weight": (len(WORDS), SIZE),
        "embeddings.position_embeddings.weight": (512, SIZE),
    }
    shapes["embeddings.token_type_embeddings.weight"] = (2, SIZE)
    norms = ["embeddings.LayerNorm"]
    for layer in range(2):
        at = f"encoder.layer.{layer}"
        dense = {f"attention.self.{one}": (SIZE, SIZE) for one in ("query", "key", "value")}
        dense |= {
            "attention.output.dense": (SIZE, SIZE),
            "intermediate.dense": (16, SIZE),
            "output.dense": (SIZE, 16),
        }
        for name, shape in dense.items():
            shapes |= {f"{at}.{name}.weight": shape, f"{at}.{name}.bias": shape[:1]}
        norms += [f"{at}.attention.output.LayerNorm", f"{at}.output.LayerNorm"]
    weights = {name: chance.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    for name in norms:
        weights |= {f"{name}.weight": np.ones(SIZE, np.float32), f"{name}.bias": np.zeros(SIZE, np.float32)}
    save_file(weights, folder / "model.safetensors")
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    config = {"num_hidden_layers": 2, "num_attention_heads": 2, "layer_norm_eps": 1e-12}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def run(folder: Path, *arguments: str | Path) -> tuple[str, list[dict[str, Any]]]:
    (folder / ".relineage").mkdir()
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-m", "demo.modalities", *arguments],
        cwd=folder, env=environ, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout, [event for event in events_in(folder) if event["eventType"] == "COMPLETE"]


def test_texts_images_and_sounds_become_vectors_and_say_what_they_are(tmp_path: Path) -> None:
    printed, events = run(tmp_path)

    jobs = [event["job"]["name"] for event in events]
    assert jobs == ["embed_texts", "draw_images", "embed_images", "play", "spectrogram", "modalities"] * 2
    modalities = {
        event["job"]["name"]: content(event, role)["modality"]
        for event in events
        for role in ("output", "decibels")
        if any(one["outputFacets"]["relineage_io"]["role"] == role for one in event["outputs"])
    }
    assert modalities == {
        "embed_texts": "embedding", "draw_images": "image", "embed_images": "embedding", "play": "audio",
        "spectrogram": "audio",
    }  # fmt: skip
    assert content(events[0], "texts", "inputs")["modality"] == "text"
    assert printed.splitlines()[0].endswith("A man is eating food.")
    assert "a tone that rises from 219 to 1938 Hz" in printed


def test_the_second_time_steps_with_a_cache_are_answered(tmp_path: Path) -> None:
    _, events = run(tmp_path)

    answered = {event["job"]["name"] for event in events if step_of(event).get("servedFrom")}
    assert answered == {"embed_texts", "embed_images", "spectrogram"}
    assert {tuple(event["run"]["facets"]["relineage_seeds"].get("uncovered", ())) for event in events} == {()}
    for job in ("draw_images", "play"):
        one, two = (step_of(event) for event in events if event["job"]["name"] == job)
        assert one["outcome"] == two["outcome"]


def test_a_model_is_an_input_of_the_embedding(tmp_path: Path, model: Path) -> None:
    _, events = run(tmp_path, "--model", model)

    [first, _] = [event for event in events if event["job"]["name"] == "embed_texts_by_model"]
    assert content(first, "model", "inputs")["kind"] == "tensors"
    assert content(first, "output")["rows"] == 10


def test_words_are_cut_into_the_longest_pieces_that_are_known(model: Path) -> None:
    tokens = MiniLM.load(model).tokens

    assert [WORDS[one] for one in tokens("A man EATS.")] == ["[CLS]", "a", "man", "eat", "##s", ".", "[SEP]"]
    assert [WORDS[one] for one in tokens("café, eating!")] == [
        "[CLS]",
        "cafe",
        "[UNK]",
        "eat",
        "##ing",
        "!",
        "[SEP]",
    ]
    assert len(tokens("a " * 1000)) == 256


def test_a_vector_has_length_one_and_depends_on_its_text_alone(model: Path) -> None:
    minilm = MiniLM.load(model)
    alone = minilm.embed(["a man eats."])[0]
    together = minilm.embed(["a", "a man eats.", "man a eats."])

    assert np.linalg.norm(alone) == pytest.approx(1)
    assert np.array_equal(alone, together[1])
    assert not np.allclose(alone, together[2])
