"""What speech is tested with: a Whisper model of random weights, and a synthetic voice to give it.

The model is made in a moment and shows loading, batching and routing, not hearing. Its text depends on
what it is given, so a window that got its neighbour's result shows; its word times mean nothing.
"""

from __future__ import annotations

import functools
import io
import json
import shutil
import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest
import tokenizers
from ctranslate2.specs import whisper_spec

LANGUAGES = ("en", "zh", "de", "fr")
_EMPTY = "<|empty|>"

_WIDTH = 32
_HEADS = 2
_LAYERS = 1
_MELS = 80
_CORPUS = (
    "what a goal that was clip that right now he scores from the corner oh my god did you see that "
    "no way he survived push the left side we won the game the crowd goes wild what a save by the keeper"
)


def build_toy_whisper(
    folder: Path,
    *,
    is_multilingual: bool = False,
    seed: int = 6,
    width: int = _WIDTH,
    heads: int = _HEADS,
    layers: int = _LAYERS,
) -> Path:
    """Write a complete model folder and return it. A width of 384, 6 heads and 4 layers cost as whisper-tiny does."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = _tokenizer(is_multilingual)
    size = tokenizer.get_vocab_size()
    ids = tokenizer.get_vocab()
    names = sorted(ids, key=lambda name: ids[name])
    shape = whisper_spec.WhisperSpec(layers, heads, layers, heads)
    spec = _spec(shape, np.random.default_rng(seed), size, width, first_special=ids["<|endoftext|>"])
    # CTranslate2 knows a multilingual model by the empty token in its vocabulary.
    spec.register_vocabulary(["" if name == _EMPTY else name for name in names])
    spec.config.suppress_ids = []
    spec.config.suppress_ids_begin = [ids["<|endoftext|>"]]
    spec.config.lang_ids = [
        ids[name] for name in names if name.strip("<|>") in LANGUAGES and name.startswith("<|")
    ]
    spec.config.alignment_heads = [(0, 0)]
    spec.validate()
    spec.optimize("int8")
    spec.save(str(folder))
    tokenizer.save(str(folder / "tokenizer.json"))
    extractor = {
        "feature_size": _MELS,
        "sampling_rate": 16_000,
        "hop_length": 160,
        "chunk_length": 30,
        "n_fft": 400,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(extractor), encoding="utf-8")
    return folder


@functools.cache
def say(text: str, voice: str = "en-us") -> np.ndarray:
    """Return a phrase spoken by espeak-ng: float32, mono, 16,000 Hz, its first sample not yet speech."""
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed")
    command = ["espeak-ng", "-v", voice, "-s", "165", "--stdout", text]
    # espeak-ng cannot seek on a pipe, so the header's length is not true: read what there is.
    raw = subprocess.run(command, capture_output=True, check=True, timeout=20).stdout
    with wave.open(io.BytesIO(raw)) as header:
        rate_hz = header.getframerate()
    spoken = np.frombuffer(raw[44:], dtype="<i2").astype(np.float32) / 32_768
    num_samples = spoken.size * 16_000 // rate_hz
    spectrum = np.fft.rfft(spoken)[: num_samples // 2 + 1]
    return (np.fft.irfft(spectrum, num_samples) * (num_samples / spoken.size)).astype(np.float32)


def _tokenizer(is_multilingual: bool) -> tokenizers.Tokenizer:
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE())
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=400,
        initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([f" {word}" for word in _CORPUS.split()], trainer)
    languages = LANGUAGES if is_multilingual else LANGUAGES[:1]
    # faster-whisper takes every id from <|endoftext|> on for a special one: they come last.
    specials = [
        *([_EMPTY] if is_multilingual else []),
        "<|endoftext|>",
        "<|startoftranscript|>",
        *(f"<|{language}|>" for language in languages),
        "<|translate|>",
        "<|transcribe|>",
        "<|startoflm|>",
        "<|startofprev|>",
        "<|nospeech|>",
        "<|notimestamps|>",
        *(f"<|{index * 0.02:.2f}|>" for index in range(1_501)),
    ]
    tokenizer.add_special_tokens(specials)
    return tokenizer


def _spec(
    spec: whisper_spec.WhisperSpec,
    rng: np.random.Generator,
    vocabulary_size: int,
    width: int,
    first_special: int,
) -> whisper_spec.WhisperSpec:
    encoder, decoder = spec.encoder, spec.decoder
    _fill(encoder.conv1, rng, (width, _MELS, 3))
    _fill(encoder.conv2, rng, (width, width, 3))
    encoder.position_encodings.encodings = _random(rng, (1_500, width), 0.3)
    decoder.position_encodings.encodings = _random(rng, (448, width), 1.0)
    for norm in (encoder.layer_norm, decoder.layer_norm):
        _fill_norm(norm, width)
    for layer in encoder.layer:
        _fill_attention(layer.self_attention, rng, width, is_self=True)
        _fill_feed_forward(layer.ffn, rng, width)
    for layer in decoder.layer:
        _fill_attention(layer.self_attention, rng, width, is_self=True)
        _fill_attention(layer.attention, rng, width, is_self=False)
        _fill_feed_forward(layer.ffn, rng, width)
    embeddings = _random(rng, (vocabulary_size, width), 1.0)
    # Random rows of special tokens would win often: nothing but time stamps would be said.
    embeddings[first_special:] *= 0.02
    decoder.embeddings.weight = embeddings
    decoder.projection.weight = embeddings
    return spec


def _fill_attention(attention: object, rng: np.random.Generator, width: int, *, is_self: bool) -> None:
    _fill_norm(attention.layer_norm, width)
    # Queries, keys and values are one matrix in self-attention; keys and values are one in cross-attention.
    shapes = [3, 1] if is_self else [1, 2, 1]
    for linear, factor in zip(attention.linear, shapes, strict=True):
        _fill(linear, rng, (factor * width, width), gain=1.0 if is_self else 3.0)


def _fill_feed_forward(ffn: object, rng: np.random.Generator, width: int) -> None:
    _fill_norm(ffn.layer_norm, width)
    _fill(ffn.linear_0, rng, (4 * width, width))
    _fill(ffn.linear_1, rng, (width, 4 * width))


def _fill(linear: object, rng: np.random.Generator, shape: tuple[int, ...], gain: float = 1.0) -> None:
    linear.weight = _random(rng, shape, gain / np.sqrt(np.prod(shape[1:])))
    linear.bias = np.zeros(shape[0], dtype=np.float32)


def _fill_norm(norm: object, width: int) -> None:
    norm.gamma = np.ones(width, dtype=np.float32)
    norm.beta = np.zeros(width, dtype=np.float32)


def _random(rng: np.random.Generator, shape: tuple[int, ...], scale: float) -> np.ndarray:
    return (rng.standard_normal(shape) * scale).astype(np.float32)
