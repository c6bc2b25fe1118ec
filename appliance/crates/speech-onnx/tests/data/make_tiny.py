"""Writes two model folders with random weights in the shape of a Whisper, small enough for the repository.

    python3 -m venv v && v/bin/pip install numpy onnx onnxruntime && v/bin/python make_tiny.py

`common/` has encoder_model, decoder_model, decoder_with_past_model and decoder_model_merged; `single/` has the same
weights with the cross keys and values made by the encoder and one decoder graph. Both must say the same tokens. The
architecture is not a real transformer: one layer of attention over the encoder's output and one over the tokens so
far, which is enough for the caches to matter. Prints what it says of the test signal.
"""

import json
import pathlib

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = pathlib.Path(__file__).resolve().parent
WIDTH, HEADS, MELS, FRAMES = 16, 2, 80, 3000
HEAD = WIDTH // HEADS
LETTERS = " abcdefghijklmnopqrstuvwxyz"
SPECIALS = [
    "<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|he|>", "<|translate|>", "<|transcribe|>", "<|startofprev|>",
    "<|nospeech|>", "<|notimestamps|>",
]
VOCABULARY = len(LETTERS) + len(SPECIALS)
POSITIONS = 64
FLOAT, INT = TensorProto.FLOAT, TensorProto.INT64


def weights() -> dict[str, np.ndarray]:
    random = np.random.default_rng(7)

    def matrix(rows: int, columns: int, scale: float) -> np.ndarray:
        return (random.standard_normal((rows, columns)) * scale / np.sqrt(rows)).astype(np.float32)

    table = {
        "mel": matrix(MELS * 2, WIDTH, 1.0), "embed": matrix(VOCABULARY, WIDTH, 5.0),
        "place": matrix(POSITIONS, WIDTH, 6.0), "head": matrix(WIDTH, VOCABULARY, 4.0),
    }
    for name in ("self_q", "self_k", "self_v", "cross_q", "cross_k", "cross_v"):
        table[name] = matrix(WIDTH, WIDTH, 1.5)
    # Silence is easy to tell, and the end not too likely.
    bias = np.zeros(VOCABULARY, np.float32)
    bias[len(LETTERS) + 1:] = -4.0
    table["bias"] = bias
    return table


def initializer(name: str, value) -> onnx.TensorProto:
    return numpy_helper.from_array(np.asarray(value), name)


class Builder:
    """Collects nodes; every method returns the name of its result."""

    def __init__(self, table: dict[str, np.ndarray], prefix: str = ""):
        self.nodes, self.constants, self.table, self.prefix = [], {}, table, prefix

    def const(self, value) -> str:
        name = f"{self.prefix}constant_{len(self.constants)}"
        self.constants[name] = np.asarray(value)
        return name

    def weight(self, name: str) -> str:
        self.constants[name] = self.table[name]
        return name

    def op(self, kind: str, *inputs: str, result: str | None = None, **attributes) -> str:
        result = result or f"{self.prefix}result_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [result], **attributes))
        return result

    def heads(self, value: str, result: str | None = None) -> str:
        split = self.op("Reshape", value, self.const(np.array([0, -1, HEADS, HEAD], np.int64)))
        return self.op("Transpose", split, result=result, perm=[0, 2, 1, 3])

    def project(self, value: str, name: str, result: str | None = None) -> str:
        return self.heads(self.op("MatMul", value, self.weight(name)), result)

    def attend(self, query: str, key: str, value: str, mask: str | None) -> str:
        turned = self.op("Transpose", key, perm=[0, 1, 3, 2])
        scores = self.op("Mul", self.op("MatMul", query, turned), self.const(np.float32(HEAD ** -0.5)))
        if mask:
            scores = self.op("Add", scores, mask)
        mixed = self.op("MatMul", self.op("Softmax", scores, axis=-1), value)
        together = self.op("Transpose", mixed, perm=[0, 2, 1, 3])
        return self.op("Reshape", together, self.const(np.array([0, -1, WIDTH], np.int64)))

    def model(self, name: str, inputs, outputs) -> onnx.ModelProto:
        constants = [initializer(key, value) for key, value in self.constants.items()]
        graph = helper.make_graph(self.nodes, name, inputs, outputs, constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        onnx.checker.check_model(model)
        return model


def info(name: str, kind: int, shape) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def cache(prefix: str, side: str, length: str):
    return [info(f"{prefix}.0.{side}.{part}", FLOAT, ["batch", HEADS, length, HEAD]) for part in ("key", "value")]


def encoder(table, frames, cross: bool) -> onnx.ModelProto:
    b = Builder(table)
    turned = b.op("Transpose", "input_features", perm=[0, 2, 1])
    pairs = b.op("Reshape", turned, b.const(np.array([0, -1, MELS * 2], np.int64)))
    hidden = b.op("MatMul", pairs, b.weight("mel"))
    hidden = b.op("Tanh", hidden, result=None if cross else "last_hidden_state")
    inputs = [info("input_features", FLOAT, ["batch", MELS, frames])]
    if not cross:
        return b.model("encoder", inputs, [info("last_hidden_state", FLOAT, ["batch", "steps", WIDTH])])
    b.project(hidden, "cross_k", "present.0.encoder.key")
    b.project(hidden, "cross_v", "present.0.encoder.value")
    return b.model("encoder", inputs, cache("present", "encoder", "steps"))


def body(b: Builder, past: bool, cross_key: str, cross_value: str, last: str = "logits") -> None:
    """Tokens after `past` ones to logits, with a causal mask."""
    shape = b.op("Shape", "input_ids")
    count = b.op("Gather", shape, b.const(np.array(1, np.int64)))
    if past:
        before = b.op("Gather", b.op("Shape", "past_key_values.0.decoder.key"), b.const(np.array(2, np.int64)))
    else:
        before = b.const(np.array(0, np.int64))
    total = b.op("Add", before, count)
    rows = b.op("Range", before, total, b.const(np.array(1, np.int64)))
    columns = b.op("Range", b.const(np.array(0, np.int64)), total, b.const(np.array(1, np.int64)))
    later = b.op("Greater", columns, b.op("Unsqueeze", rows, b.const(np.array([1], np.int64))))
    mask = b.op("Where", later, b.const(np.float32(-1e9)), b.const(np.float32(0)))

    words = b.op("Gather", b.weight("embed"), "input_ids")
    hidden = b.op("Add", words, b.op("Gather", b.weight("place"), rows))
    query = b.project(hidden, "self_q")
    key, value = b.project(hidden, "self_k"), b.project(hidden, "self_v")
    if past:
        key = b.op("Concat", "past_key_values.0.decoder.key", key, result="present.0.decoder.key", axis=2)
        value = b.op("Concat", "past_key_values.0.decoder.value", value, result="present.0.decoder.value", axis=2)
    else:
        key = b.op("Identity", key, result="present.0.decoder.key")
        value = b.op("Identity", value, result="present.0.decoder.value")
    hidden = b.op("Add", hidden, b.attend(query, key, value, mask))
    hidden = b.op("Add", hidden, b.attend(b.project(hidden, "cross_q"), cross_key, cross_value, None))
    scores = b.op("MatMul", b.op("Tanh", hidden), b.weight("head"))
    b.op("Add", scores, b.weight("bias"), result=last)


def half() -> onnx.ModelProto:
    """An encoder that reads 16-bit numbers, as some exports do."""
    b = Builder({})
    b.op("Cast", "input_features", result="last_hidden_state", to=FLOAT)
    inputs = [info("input_features", TensorProto.FLOAT16, ["batch", MELS, "frames"])]
    return b.model("half", inputs, [info("last_hidden_state", FLOAT, ["batch", MELS, "frames"])])


TOKENS = info("input_ids", INT, ["batch", "tokens"])
LOGITS = info("logits", FLOAT, ["batch", "tokens", VOCABULARY])
HIDDEN = info("encoder_hidden_states", FLOAT, ["batch", "steps", WIDTH])


def first(table) -> onnx.ModelProto:
    b = Builder(table)
    key = b.project("encoder_hidden_states", "cross_k", "present.0.encoder.key")
    value = b.project("encoder_hidden_states", "cross_v", "present.0.encoder.value")
    body(b, False, key, value)
    outputs = [LOGITS, *cache("present", "decoder", "tokens"), *cache("present", "encoder", "steps")]
    return b.model("first", [TOKENS, HIDDEN], outputs)


def single(table) -> onnx.ModelProto:
    b = Builder(table)
    body(b, True, "past_key_values.0.encoder.key", "past_key_values.0.encoder.value")
    inputs = [TOKENS, *cache("past_key_values", "decoder", "past"), *cache("past_key_values", "encoder", "steps")]
    return b.model("single", inputs, [LOGITS, *cache("present", "decoder", "total")])


def merged(table) -> onnx.ModelProto:
    """As the common export does it: with the switch off the cross cache is made, with it on the given one is used and
    an empty one comes out."""
    b = Builder(table)

    def branch(nodes: "Builder", outputs: list[str]) -> onnx.GraphProto:
        constants = [initializer(key, value) for key, value in nodes.constants.items()]
        infos = [info(output, FLOAT, None) for output in outputs]
        return helper.make_graph(nodes.nodes, nodes.prefix, [], infos, constants)

    make = Builder(table, "make_")
    made = [make.project("encoder_hidden_states", "cross_k", "made_key"),
            make.project("encoder_hidden_states", "cross_v", "made_value"),
            make.op("Identity", "made_key", result="out_key"), make.op("Identity", "made_value", result="out_value")]
    use = Builder(table, "use_")
    nothing = use.const(np.zeros((1, HEADS, 0, HEAD), np.float32))
    use.op("Identity", "past_key_values.0.encoder.key", result="used_key")
    use.op("Identity", "past_key_values.0.encoder.value", result="used_value")
    use.op("Identity", nothing, result="none_key")
    use.op("Identity", nothing, result="none_value")
    b.nodes.append(helper.make_node(
        "If", ["switch"], ["key", "value", "present.0.encoder.key", "present.0.encoder.value"],
        then_branch=branch(use, ["used_key", "used_value", "none_key", "none_value"]),
        else_branch=branch(make, made)))
    b.nodes.insert(0, helper.make_node("Squeeze", ["use_cache_branch"], ["switch"]))
    body(b, True, "key", "value")
    inputs = [TOKENS, HIDDEN, *cache("past_key_values", "decoder", "past"), *cache("past_key_values", "encoder", "given"),
              info("use_cache_branch", TensorProto.BOOL, [1])]
    outputs = [LOGITS, *cache("present", "decoder", "total"), *cache("present", "encoder", "made")]
    return b.model("merged", inputs, outputs)


def describe(folder: pathlib.Path) -> None:
    vocabulary = {("\u0120" if letter == " " else letter): index for index, letter in enumerate(LETTERS)}
    special = {content: len(LETTERS) + index for index, content in enumerate(SPECIALS)}
    added = [{"id": index, "content": content, "single_word": False, "lstrip": False, "rstrip": False,
              "normalized": False, "special": True} for content, index in special.items()]
    level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    files = {
        "tokenizer.json": {
            "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
            "pre_tokenizer": level, "post_processor": None, "decoder": level,
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                      "vocab": vocabulary, "merges": []},
        },
        "config.json": {
            "d_model": WIDTH, "encoder_layers": 1, "decoder_layers": 1, "decoder_attention_heads": HEADS,
            "num_mel_bins": MELS, "max_source_positions": FRAMES // 2, "max_target_positions": POSITIONS,
            "vocab_size": VOCABULARY, "decoder_start_token_id": special["<|startoftranscript|>"],
            "eos_token_id": special["<|endoftext|>"],
        },
        "generation_config.json": {
            "is_multilingual": True, "lang_to_id": {code: special[code] for code in ("<|en|>", "<|he|>")},
            "task_to_id": {"transcribe": special["<|transcribe|>"]}, "suppress_tokens": [3],
            "begin_suppress_tokens": [0, special["<|endoftext|>"]],
        },
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, separators=(",", ":")) + "\n")


def log_mel(samples: int, frames: int) -> np.ndarray:
    """The log-mel spectrum of noise from the generator that the tests have too."""
    state, audio = 12_345, np.zeros(frames * 160)
    for index in range(samples):
        state = (state * 1_664_525 + 1_013_904_223) % 2**32
        audio[index] = ((state >> 16) / 32_768 - 1) * np.float32(0.3)
    step = np.log(6.4) / 27
    top = 15 + np.log(8) / step
    mels = np.linspace(0, top, MELS + 2)
    corners = np.where(mels < 15, mels * 200 / 3, 1_000 * np.exp((mels - 15) * step))
    bins = np.arange(201) * 40.0
    low, peak, high = (corners[shift:shift + MELS, None] for shift in range(3))
    filters = np.maximum(0, np.minimum((bins - low) / (peak - low), (high - bins) / (high - peak))) * 2 / (high - low)
    padded = np.pad(audio, 200, mode="reflect")
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(400) / 400)
    pieces = np.lib.stride_tricks.sliding_window_view(padded, 400)[::160][:frames] * window
    power = np.abs(np.fft.rfft(pieces)) ** 2
    mel = np.log10(np.maximum(filters @ power.T, 1e-10))
    return ((np.maximum(mel, mel.max() - 8) + 4) / 4).astype(np.float32)[None]


def say(table: dict[str, np.ndarray], seconds: int, frames: int) -> tuple[str, bool]:
    """What the model says of that noise in Hebrew, decoded without any cache, and whether it ended by itself."""
    import onnxruntime

    encode = onnxruntime.InferenceSession(encoder(table, "frames", False).SerializeToString())
    decode = onnxruntime.InferenceSession(first(table).SerializeToString())
    hidden = encode.run(None, {"input_features": log_mel(seconds * 16_000, frames)})[0]
    base = len(LETTERS)
    tokens, text = [base + SPECIALS.index(f"<|{name}|>") for name in
                    ("startoftranscript", "he", "transcribe", "notimestamps")], []
    while len(text) < seconds * 12 + 10:
        scores = decode.run(["logits"], {"input_ids": np.array([tokens]), "encoder_hidden_states": hidden})[0][0, -1]
        scores[[3, *range(base + 1, VOCABULARY)]] = -np.inf
        if not text:
            scores[[0, base]] = -np.inf
        best = int(scores.argmax())
        if best == base:
            break
        tokens.append(best)
        text.append(LETTERS[best])
    return "".join(text).strip(), len(text) < seconds * 12 + 10


def main() -> None:
    table = weights()
    common, own = HERE / "common", HERE / "single"
    for folder in (common, own):
        folder.mkdir(exist_ok=True)
        describe(folder)
    second = single(table)
    for path, model in {
        common / "encoder_model.onnx": encoder(table, FRAMES, False), common / "decoder_model.onnx": first(table),
        common / "decoder_with_past_model.onnx": second, common / "decoder_model_merged.onnx": merged(table),
        own / "encoder.onnx": encoder(table, "frames", True), own / "decoder.onnx": second,
        HERE / "half_encoder.onnx": half(),
    }.items():
        path.write_bytes(model.SerializeToString())
        print(f"{path.relative_to(HERE)}\t{path.stat().st_size}")
    for frames in (200, 300, 2_200, FRAMES):
        print(frames, *say(table, 2, frames), sep="\t")


if __name__ == "__main__":
    main()
