"""The reduced tokenizer: byte-level BPE over the vocabulary's sentences, one token per digit, special tokens with Whisper's names at the end.

    python tokenizer.py OUTPUT_FOLDER
"""

from __future__ import annotations

import json
import pathlib
import random
import sys

from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

from vocabulary import Vocabulary

TEXT_TOKENS = 1_014
SPECIAL = [
    "<|endoftext|>", "<|startoftranscript|>", "<|en|>", "<|he|>", "<|translate|>", "<|transcribe|>", "<|startoflm|>", "<|startofprev|>", "<|nospeech|>",
    "<|notimestamps|>",
]
LANGUAGES = ["en", "he"]


def build() -> Tokenizer:
    random_ = random.Random(7)
    lines = []
    for language in LANGUAGES:
        vocabulary = Vocabulary(language)
        lines += [" " + phrase for _, phrase in vocabulary.plain_phrases() for _ in range(4)]
        lines += [" " + vocabulary.draw(random_).text for _ in range(20_000)]
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)])
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=TEXT_TOKENS, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=[], show_progress=False, max_token_length=14
    )
    tokenizer.train_from_iterator(lines, trainer)
    assert tokenizer.get_vocab_size() == TEXT_TOKENS, tokenizer.get_vocab_size()
    tokenizer.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in SPECIAL])
    return tokenizer


def ids(tokenizer: Tokenizer) -> dict[str, int]:
    return {token: tokenizer.token_to_id(token) for token in SPECIAL}


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = build()
    tokenizer.save(str(folder / "tokenizer.json"))
    print(json.dumps(ids(tokenizer)))


if __name__ == "__main__":
    main()
