"""The offline engine: pocketsphinx with the small English model its own wheel carries.

Told which phrases to expect it is quick and right; left open it hears every English word, badly.
Each utterance is decoded from a fresh start, so what one window says never reaches another.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import structlog

from coordinator.errors import AudioUnusable, ModelUnavailable
from coordinator.model.speech import SAMPLE_RATE_HZ, EngineName, Pcm16k, Transcript, Word
from coordinator.speech.grammar import Grammar, build_grammar
from coordinator.speech.pcm import usable_samples
from coordinator.speech.pronounce import read_dictionary
from coordinator.speech.rhythm import is_rhythmic
from coordinator.speech.vad import Span, speech_spans

if TYPE_CHECKING:
    from types import ModuleType

log = structlog.get_logger(__name__)

_ENGINE: EngineName = "pocketsphinx"

_FRAMES_PER_S = 100
# Digital silence gives empty hypotheses, and a word at the very edge is lost: WER .40 without, .05 with.
_PAD_SAMPLES = int(0.4 * SAMPLE_RATE_HZ)
_DITHER = 1e-3
_VARIANT = re.compile(r"\(\d+\)$")
_LANGUAGE = "en"
# The lattice search after the first pass ends half-way into a phrase (WER .043 against .000), and the
# default beams lose whole sentences of unfamiliar voices (.029 against .000): 25 phrases, 6 espeak voices.
_GRAMMAR_SETTINGS = {"bestpath": False, "beam": 1e-64, "pbeam": 1e-64, "wbeam": 1e-48}


class PocketsphinxTranscriber:
    """A `Transcriber` for English. Called from one thread at a time; owns one decoder."""

    engine: str = _ENGINE

    def __init__(self, *, grammar_phrases: Sequence[str] | None = None) -> None:
        """Load the model: 0.2 s with phrases, 1 s and 190 MB without.

        Args:
            grammar_phrases: what may be said, in any order; None or empty for open English. A phrase
                whose words have no pronunciation is left out with a warning.

        Raises:
            ModelUnavailable: pocketsphinx is not installed, or its model is not there.
        """
        self._decoder: Any = None
        self._texts: dict[str, str] = {}
        pocketsphinx = _imported()
        grammar = _usable_grammar(pocketsphinx, grammar_phrases or ())
        try:
            self._decoder = _decoder(pocketsphinx, grammar)
        except (RuntimeError, ValueError, OSError) as exc:
            raise ModelUnavailable(
                f"pocketsphinx cannot load its English model: {exc}; reinstall the extra 'offline-asr'"
            ) from exc
        self._texts = dict(grammar.texts) if grammar else {}
        self.model = "en-us-grammar" if grammar else "en-us"

    def transcribe(self, windows: Sequence[Pcm16k]) -> list[Transcript]:
        """Return one transcript for each window, in the same order; see `Transcriber`.

        A window asked for in another language than English comes back empty, with a warning.
        """
        if self._decoder is None:
            raise ModelUnavailable("this pocketsphinx transcriber is closed; open another")
        checked = [usable_samples(window) for window in windows]
        return [
            self._transcript(samples, window.language)
            for samples, window in zip(checked, windows, strict=True)
        ]

    def close(self) -> None:
        """Free the model. Twice is once."""
        self._decoder = None

    def _transcript(self, samples: npt.NDArray[np.float32], language: str | None) -> Transcript:
        if language not in (None, _LANGUAGE):
            log.warning("window_skipped", reason="pocketsphinx speaks English only", language=language)
            return Transcript(words=(), language=language, engine=_ENGINE, model=self.model)
        words: list[Word] = []
        for span in speech_spans(samples):
            # Left open it makes words out of laughter, and its scores do not tell. "No no no no" is lost with it.
            if not self._texts and is_rhythmic(samples[span.start : span.end]):
                continue
            words.extend(self._words(samples, span))
        return Transcript(words=tuple(words), language=_LANGUAGE, engine=_ENGINE, model=self.model)

    def _words(self, samples: npt.NDArray[np.float32], span: Span) -> Iterator[Word]:
        origin_s = (span.start - _PAD_SAMPLES) / SAMPLE_RATE_HZ
        earliest_s, latest_s = span.start / SAMPLE_RATE_HZ, span.end / SAMPLE_RATE_HZ
        for name, first_frame, last_frame in self._decode(_prepared(samples[span.start : span.end])):
            text = self._texts.get(name) if self._texts else _open_text(name)
            start_s = max(earliest_s, origin_s + first_frame / _FRAMES_PER_S)
            end_s = min(latest_s, origin_s + (last_frame + 1) / _FRAMES_PER_S)
            # What lies in the padding alone was not in the window.
            if text and start_s < end_s:
                yield Word(text=text, start_s=start_s, end_s=end_s)

    def _decode(self, pcm: bytes) -> list[tuple[str, int, int]]:
        decoder = self._decoder
        try:
            # The decoder keeps the mean of what it heard; without this one window's words move another's.
            decoder.reinit_feat()
            decoder.start_utt()
            try:
                decoder.process_raw(pcm, full_utt=True)
            finally:
                decoder.end_utt()
            segments = decoder.seg() or ()
            return [
                (_VARIANT.sub("", each.word), int(each.start_frame), int(each.end_frame)) for each in segments
            ]
        except RuntimeError as exc:
            raise AudioUnusable(f"pocketsphinx cannot decode {len(pcm)} bytes of speech: {exc}") from exc


def _imported() -> ModuleType:
    try:
        import pocketsphinx
    except ImportError as exc:
        raise ModelUnavailable(
            f"the engine pocketsphinx is not installed ({exc}); install the extra: pip install 'clippy[offline-asr]'"
        ) from exc
    return pocketsphinx  # type: ignore[no-any-return]


def _usable_grammar(pocketsphinx: ModuleType, phrases: Sequence[str]) -> Grammar | None:
    if not phrases:
        return None
    path = Path(pocketsphinx.get_model_path("en-us/cmudict-en-us.dict"))
    try:
        dictionary = read_dictionary(path)
    except OSError as exc:
        raise ModelUnavailable(
            f"the dictionary of pocketsphinx cannot be read: {exc}; reinstall the extra 'offline-asr'"
        ) from exc
    grammar = build_grammar(phrases, dictionary)
    for phrase, reason in grammar.dropped:
        log.warning("phrase_dropped", reason=reason, pii_phrase=phrase)
    if grammar.texts:
        return grammar
    log.warning("grammar_ignored", reason="no phrase can be said", num_phrases=len(phrases))
    return None


def _decoder(pocketsphinx: ModuleType, grammar: Grammar | None) -> Any:
    settings: dict[str, Any] = {
        "hmm": pocketsphinx.get_model_path("en-us/en-us"),
        "loglevel": "FATAL",
    }
    if grammar is None:
        settings["lm"] = pocketsphinx.get_model_path("en-us/en-us.lm.bin")
        settings["dict"] = pocketsphinx.get_model_path("en-us/cmudict-en-us.dict")
        # 6.5, its default, trusts a noisy room too much: WER .76 against .59 over a real speech.
        settings["lw"] = 8.0
        return pocketsphinx.Decoder(**settings)
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clippy-grammar-")))
        for name, text in (("words.dict", grammar.dictionary), ("expected.gram", grammar.jsgf)):
            (folder / name).write_text(text, encoding="utf-8")
        settings |= {"dict": str(folder / "words.dict"), "jsgf": str(folder / "expected.gram")}
        return pocketsphinx.Decoder(**settings, **_GRAMMAR_SETTINGS)


def _prepared(samples: npt.NDArray[np.float32]) -> bytes:
    noise = np.random.default_rng(0).standard_normal(samples.size + 2 * _PAD_SAMPLES, dtype=np.float32)
    noise *= _DITHER
    noise[_PAD_SAMPLES:-_PAD_SAMPLES] += samples
    return (np.clip(noise, -1.0, 1.0) * 32_767).astype("<i2").tobytes()


def _open_text(name: str) -> str | None:
    return None if name.startswith(("<", "[", "+")) else name
