"""Memory images: one word a line in hexadecimal, as `$readmemh` reads them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray


def word_lines(words: Iterable[int], width_bits: int) -> Iterator[str]:
    """Lines of unsigned words that are `width_bits` wide."""
    digits = -(-width_bits // 4)
    return (f"{word:0{digits}x}" for word in words)


def code_lines(codes: NDArray[np.uint8], code_bits: int) -> Iterator[str]:
    """Lines of words made of codes (words, codes a word); code i stands at bits [(i+1)*code_bits-1 : i*code_bits]."""
    bits = np.unpackbits(codes[:, :, None], axis=2, bitorder="little")[:, :, :code_bits].reshape(len(codes), -1)
    packed = np.packbits(bits, axis=1, bitorder="little")
    digits = -(-bits.shape[1] // 4)
    return (row[::-1].tobytes().hex()[-digits:] for row in packed)


def image(lines: Iterable[str]) -> str:
    """The file's text."""
    return "".join(f"{line}\n" for line in lines)
