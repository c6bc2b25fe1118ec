"""The JSON files of a model folder."""

from __future__ import annotations

import dataclasses
import json
import pathlib

from whisper import Config


def write_json(folder: pathlib.Path, config: Config, ids: dict[str, int]) -> None:
    """config.json, generation_config.json and preprocessor_config.json of a model with a reduced tokenizer."""
    eot, sot = ids["<|endoftext|>"], ids["<|startoftranscript|>"]
    shared = {"bos_token_id": eot, "eos_token_id": eot, "pad_token_id": eot, "decoder_start_token_id": sot}
    values = {
        "architectures": ["WhisperForConditionalGeneration"], "model_type": "whisper", "activation_function": "gelu", "scale_embedding": False,
        "is_encoder_decoder": True, "use_cache": True, "num_hidden_layers": config.encoder_layers, "dropout": 0.0, "attention_dropout": 0.0,
        "activation_dropout": 0.0, "torch_dtype": "float32", **dataclasses.asdict(config), **shared,
    }
    _write(folder / "config.json", values)
    languages = {token: ids[token] for token in ("<|en|>", "<|he|>")}
    generation = {
        **shared, "is_multilingual": True, "lang_to_id": languages, "task_to_id": {"transcribe": ids["<|transcribe|>"], "translate": ids["<|translate|>"]},
        "no_timestamps_token_id": ids["<|notimestamps|>"], "prev_sot_token_id": ids["<|startofprev|>"], "return_timestamps": False,
        "suppress_tokens": [], "begin_suppress_tokens": [], "forced_decoder_ids": None, "max_initial_timestamp_index": None, "max_length": 64,
    }
    _write(folder / "generation_config.json", generation)
    _write(folder / "preprocessor_config.json", {
        "feature_extractor_type": "WhisperFeatureExtractor", "processor_class": "WhisperProcessor", "feature_size": config.num_mel_bins, "sampling_rate": 16_000,
        "n_fft": 400, "hop_length": 160, "chunk_length": 30, "n_samples": 480_000, "nb_max_frames": 3_000, "padding_side": "right", "padding_value": 0.0,
        "return_attention_mask": False,
    })


def _write(path: pathlib.Path, values: dict) -> None:
    path.write_text(json.dumps(values, indent=1, sort_keys=True) + "\n")
