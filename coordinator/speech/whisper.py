"""faster-whisper over windows of many streams at once.

Nothing is carried from one window to another: each has its own prompt of equal length, one encode and one
generate for a group, and results go back by index. Times come from alignment, never from decoding on from
the last time stamp, so a bad alignment cannot make a window crawl or repeat itself.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import structlog

from coordinator.errors import AudioUnusable, ModelUnavailable
from coordinator.model.speech import SAMPLE_RATE_HZ, EngineName, Pcm16k, Transcript, Word
from coordinator.speech.batching import batches_by_key
from coordinator.speech.gpu import batch_that_fits
from coordinator.speech.guards import UNSURE_LOG_PROBABILITY, is_repetitive, is_silence, words_in_speech
from coordinator.speech.pcm import usable_samples
from coordinator.speech.resolve import ModelFolder, model_fault
from coordinator.speech.rhythm import is_rhythmic
from coordinator.speech.vad import Span, overlap_samples, speech_spans

log = structlog.get_logger(__name__)

_ENGINE: EngineName = "faster-whisper"

# Whisper's own sample length: half its text context. Without a bound a window may decode 448 tokens.
_MAX_NEW_TOKENS = 224
_NO_REPEAT_NGRAM = 3
# A word that lasts longer than twice the usual one has taken up the pause beside it.
_USUAL_WORD_S = 0.7
_PREPENDED = "\"'“¿([{-"
_APPENDED = "\"'.。,，!！?？:：”)]}、"


@dataclasses.dataclass(slots=True)
class _Heard:
    """One window on its way through the model, cut to where somebody speaks."""

    index: int
    origin_s: float
    duration_s: float
    samples: npt.NDArray[np.float32]
    spans: list[Span]
    features: npt.NDArray[np.float32]
    num_frames: int
    language: str | None
    language_probability: float | None = None
    words: tuple[Word, ...] = ()


class WhisperTranscriber:
    """A `Transcriber` over CTranslate2. Called from one thread at a time; owns one model."""

    engine: str = _ENGINE

    def __init__(
        self,
        folder: ModelFolder,
        *,
        device: str = "auto",
        compute_type: str | None = None,
        cpu_threads: int = 0,
        max_batch: int | None = None,
        beam_size: int | None = None,
    ) -> None:
        """Load the model.

        Args:
            folder: where it is, from `resolve_model`.
            device: "cuda", "cpu", or "auto" for the GPU where there is one.
            compute_type: CTranslate2's name; None for int8_float16 on a GPU, int8 on a CPU.
            cpu_threads: 0 lets CTranslate2 choose.
            max_batch: windows a call, on a GPU as many of them as its memory holds; None for 64 there, and 4 on a
                CPU, where more gains nothing.
            beam_size: None for 5 on a GPU, 2 on a CPU.

        Raises:
            ModelUnavailable: faster-whisper is not installed, or the model does not load.
        """
        self._whisper: Any = None
        self.model = folder.name
        modules = _Modules.load()
        # The library would reach for the network over a file that is missing.
        if fault := model_fault(folder.path):
            raise ModelUnavailable(
                f"{folder.path} is no Whisper model: {fault}; run `clippy-coordinator models fetch`"
            )
        self._modules = modules
        self.device = modules.chosen_device(device)
        is_gpu = self.device == "cuda"
        self._beam_size = beam_size or (5 if is_gpu else 2)
        try:
            self._whisper = modules.whisper_model(
                str(folder.path),
                device=self.device,
                compute_type=compute_type or ("int8_float16" if is_gpu else "int8"),
                cpu_threads=cpu_threads,
                local_files_only=True,
            )
        except Exception as exc:  # tokenizers raises bare Exception
            raise ModelUnavailable(
                f"the Whisper model in {folder.path} does not load on {self.device}: {exc}; "
                "run `clippy-coordinator models check`, then `models fetch`"
            ) from exc
        # Once the model is loaded: what is free then is what windows may use.
        self._max_batch = batch_that_fits(folder.path, max_batch or 64) if is_gpu else max_batch or 4
        self._num_frames = int(self._whisper.feature_extractor.nb_max_frames)
        self._tokenizers: dict[str, Any] = {}

    def transcribe(self, windows: Sequence[Pcm16k]) -> list[Transcript]:
        """Return one transcript for each window, in the same order; see `Transcriber`."""
        if self._whisper is None:
            raise ModelUnavailable("this Whisper transcriber is closed; open another")
        checked = [usable_samples(window) for window in windows]
        transcripts = [self._transcript((), window.language or "en") for window in windows]
        heard = [
            each
            for index, samples in enumerate(checked)
            if (each := self._cut_to_speech(index, samples, windows[index].language)) is not None
        ]
        for _, group in batches_by_key([each.language for each in heard], self._max_batch):
            self._run([heard[index] for index in group])
        for each in heard:
            transcripts[each.index] = dataclasses.replace(
                self._transcript(each.words, each.language or "en"),
                language_probability=each.language_probability,
            )
        return transcripts

    def close(self) -> None:
        """Free the model. Twice is once."""
        self._whisper = None

    def _transcript(self, words: tuple[Word, ...], language: str) -> Transcript:
        return Transcript(words=words, language=language, engine=_ENGINE, model=self.model)

    def _cut_to_speech(
        self, index: int, samples: npt.NDArray[np.float32], language: str | None
    ) -> _Heard | None:
        spans = speech_spans(samples)
        if not spans:
            return None
        start, end = spans[0].start, spans[-1].end
        features = np.asarray(self._whisper.feature_extractor(samples[start:end]), dtype=np.float32)
        # The extractor pads 10 ms; Whisper wants that frame gone and silence up to 30 s.
        num_frames = min(features.shape[-1] - 1, self._num_frames)
        padded = np.zeros((features.shape[0], self._num_frames), dtype=np.float32)
        padded[:, :num_frames] = features[:, :num_frames]
        return _Heard(
            index=index,
            origin_s=start / SAMPLE_RATE_HZ,
            duration_s=samples.size / SAMPLE_RATE_HZ,
            samples=samples,
            spans=spans,
            features=padded,
            num_frames=num_frames,
            language=self._known_language(language),
        )

    def _known_language(self, language: str | None) -> str | None:
        if not self._whisper.model.is_multilingual:
            return "en"
        if language is not None and language not in self._whisper.supported_languages:
            log.warning("language_unknown", language=language, model=self.model)
            return None
        return language

    def _run(self, group: list[_Heard]) -> None:
        """Transcribe windows of one language, or of none known yet."""
        try:
            encoded = self._whisper.encode(np.stack([each.features for each in group]))
            self._detect_languages(group, encoded)
            for language, indices in batches_by_key([str(each.language) for each in group], len(group)):
                some = [group[index] for index in indices]
                self._decode(some, self._taken(encoded, indices, len(group)), self._tokenizer(language))
        except (RuntimeError, ValueError) as exc:
            raise AudioUnusable(
                f"Whisper {self.model} on {self.device} failed on {len(group)} windows: {exc}"
            ) from exc

    def _detect_languages(self, group: list[_Heard], encoded: Any) -> None:
        if all(each.language is not None for each in group):
            return
        # Each is a list of ("<|en|>", probability), the likeliest first.
        for each, ranked in zip(group, self._whisper.model.detect_language(encoded), strict=True):
            each.language = str(ranked[0][0])[2:-2]
            # Rounded: the sixth digit depends on who else is in the batch.
            each.language_probability = round(float(ranked[0][1]), 3)

    def _taken(self, encoded: Any, indices: list[int], num_windows: int) -> Any:
        if len(indices) == num_windows:
            return encoded
        storage = self._modules.storage_view
        on_cpu = encoded if self.device == "cpu" else encoded.to_device(self._modules.cpu)
        return storage.from_array(np.ascontiguousarray(np.asarray(on_cpu)[indices]))

    def _tokenizer(self, language: str) -> Any:
        if language not in self._tokenizers:
            self._tokenizers[language] = self._modules.tokenizer(
                self._whisper.hf_tokenizer,
                self._whisper.model.is_multilingual,
                task="transcribe",
                language=language,
            )
        return self._tokenizers[language]

    def _decode(self, group: list[_Heard], encoded: Any, tokenizer: Any) -> None:
        results = self._generate(encoded, len(group), tokenizer)
        texts = [_text_tokens(result, tokenizer) for result in results]
        looping = [index for index, tokens in enumerate(texts) if is_repetitive(tokenizer.decode(tokens))]
        if looping:
            again = self._generate(
                self._taken(encoded, looping, len(group)),
                len(looping),
                tokenizer,
                no_repeat_ngram_size=_NO_REPEAT_NGRAM,
            )
            for index, result in zip(looping, again, strict=True):
                tokens = _text_tokens(result, tokenizer)
                # A loop that goes on is no speech.
                is_loop = is_repetitive(tokenizer.decode(tokens))
                results[index], texts[index] = result, [] if is_loop else tokens
        spoken = [index for index, tokens in enumerate(texts) if tokens and not _is_silence(results[index])]
        if not spoken:
            return
        aligned = self._whisper.find_alignment(
            tokenizer,
            [texts[index] for index in spoken],
            self._taken(encoded, spoken, len(group)),
            [group[index].num_frames for index in spoken],
        )
        for index, alignment in zip(spoken, aligned, strict=True):
            self._modules.merge_punctuations(alignment, _PREPENDED, _APPENDED)
            group[index].words = _said(_words(alignment, group[index]), group[index], results[index])

    def _generate(self, encoded: Any, num_windows: int, tokenizer: Any, **options: Any) -> list[Any]:
        prompt = [*tokenizer.sot_sequence, tokenizer.no_timestamps]
        return list(
            self._whisper.model.generate(
                encoded,
                [list(prompt) for _ in range(num_windows)],
                beam_size=self._beam_size,
                # CTranslate2 decodes at most half of this, and no more than what the prompt leaves.
                max_length=2 * _MAX_NEW_TOKENS,
                return_scores=True,
                return_no_speech_prob=True,
                suppress_blank=True,
                suppress_tokens=list(self._modules.suppressed(tokenizer, [-1])),
                **options,
            )
        )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class _Modules:
    """What we use of faster-whisper and CTranslate2, imported when a model is wanted."""

    whisper_model: Any
    tokenizer: Any
    merge_punctuations: Callable[[list[dict[str, Any]], str, str], None]
    suppressed: Callable[[Any, list[int]], Sequence[int]]
    storage_view: Any
    cpu: Any
    num_gpus: int

    @classmethod
    def load(cls) -> _Modules:
        """Import them; 0.7 s the first time.

        Raises:
            ModelUnavailable: They are not installed.
        """
        try:
            ctranslate2 = importlib.import_module("ctranslate2")
            transcribe = importlib.import_module("faster_whisper.transcribe")
            tokenizer = importlib.import_module("faster_whisper.tokenizer")
        except ImportError as exc:
            raise ModelUnavailable(
                f"the engine faster-whisper is not installed ({exc}); "
                "install the extra: pip install 'clippy[coordinator]'"
            ) from exc
        return cls(
            whisper_model=transcribe.WhisperModel,
            tokenizer=tokenizer.Tokenizer,
            merge_punctuations=transcribe.merge_punctuations,
            suppressed=transcribe.get_suppressed_tokens,
            storage_view=ctranslate2.StorageView,
            cpu=ctranslate2.Device.cpu,
            num_gpus=ctranslate2.get_cuda_device_count(),
        )

    def chosen_device(self, wanted: str) -> str:
        """Return "cuda" or "cpu" for what was asked."""
        if wanted == "auto":
            return "cuda" if self.num_gpus else "cpu"
        if wanted not in ("cuda", "cpu") or (wanted == "cuda" and not self.num_gpus):
            raise ModelUnavailable(
                f"the device {wanted!r} cannot run Whisper here ({self.num_gpus} CUDA devices found); "
                "use 'auto' or 'cpu'"
            )
        return wanted


def _text_tokens(result: Any, tokenizer: Any) -> list[int]:
    return [int(token) for token in result.sequences_ids[0] if token < tokenizer.eot]


def _is_silence(result: Any) -> bool:
    # CTranslate2 gives the mean log probability: length_penalty is 1.
    return is_silence(float(result.no_speech_prob), float(result.scores[0]))


def _said(words: Sequence[Word], heard: _Heard, result: Any) -> tuple[Word, ...]:
    """What is left of the words after what nobody said."""
    spans = heard.spans
    if result.scores[0] < UNSURE_LOG_PROBABILITY:
        # A model that is sure of "no no no" is believed; one that guesses over laughter is not.
        spans = [span for span in spans if not is_rhythmic(heard.samples[span.start : span.end])]
    return tuple(words_in_speech(words, spans))


def _words(alignment: Sequence[dict[str, Any]], heard: _Heard) -> tuple[Word, ...]:
    lengths = [float(each["end"]) - float(each["start"]) for each in alignment]
    usual_s = min(_USUAL_WORD_S, float(np.median([each for each in lengths if each > 0] or [_USUAL_WORD_S])))
    words: list[Word] = []
    earliest_s = 0.0
    for each in alignment:
        text = str(each["word"]).replace("\ufffd", "").strip()
        if not text:
            continue
        # np.float64 from the aligner: plain floats from here on.
        start_s = heard.origin_s + float(each["start"])
        end_s = heard.origin_s + float(each["end"])
        start_s, end_s = _without_pause(start_s, end_s, 2 * usual_s, heard.spans)
        start_s = min(max(start_s, earliest_s), heard.duration_s)
        end_s = min(max(end_s, start_s), heard.duration_s)
        words.append(Word(text=text, start_s=start_s, end_s=end_s))
        earliest_s = start_s
    return tuple(words)


def _without_pause(
    start_s: float, end_s: float, longest_s: float, spans: Sequence[Span]
) -> tuple[float, float]:
    """Shorten a word that lasts too long to the stretch of speech it shares most with."""
    if end_s - start_s <= longest_s:
        return start_s, end_s
    start, end = int(start_s * SAMPLE_RATE_HZ), int(end_s * SAMPLE_RATE_HZ)
    span = max(spans, key=lambda each: overlap_samples(each, start, end))
    if not overlap_samples(span, start, end):
        return start_s, end_s
    return max(start_s, span.start / SAMPLE_RATE_HZ), min(end_s, span.end / SAMPLE_RATE_HZ)
