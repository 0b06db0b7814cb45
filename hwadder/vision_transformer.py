"""Vision transformers with adder linear layers and adder attention (Shu et al., NeurIPS 2021).

DeiT (Touvron et al., arXiv 2012.12877) in which each part may be made of adders. An adder linear layer takes the
clamped gradient of AdderNet for its input (eq. 6) and a layer norm after it, as batch norm follows an adder layer of a
convolutional network. Adder attention scores a query and a key by `-|q - k|_1 / sqrt(2 d (1 - 2 / pi))` (eq. 7), with
the plain derivative, a sign, as gradient (eq. 23), and adds the identity to the attention map, whose rank would
otherwise fall (eq. 20). The product of map and values stays a multiplication.

Parameters have the names of the DeiT reference wherever a layer is there in both.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import torch
from torch import Tensor, nn

from hwadder.layers import AdderLinear
from quant.errors import BadInputError

INITIAL_SPREAD = 0.02
"""Standard deviation of DeiT's initial weights and embeddings."""


class AdderParts(Enum):
    """Which parts of every adder block are adders; the value is (linear layers, attention scores)."""

    NONE = (False, False)
    ATTENTION = (False, True)
    LINEAR = (True, False)
    BOTH = (True, True)

    @property
    def linear(self) -> bool:
        """Whether linear layers are adders."""
        return self.value[0]

    @property
    def attention(self) -> bool:
        """Whether attention scores are distances."""
        return self.value[1]


@dataclass(frozen=True, slots=True)
class TransformerShape:
    """Sizes of a vision transformer; `image` and `patch` are the side of a square in pixels.

    DeiT-Tiny, -Small and -Base have width 192, 384, 768 and 3, 6, 12 heads, each of 64 channels.
    """

    width: int
    heads: int
    blocks: int = 12
    expansion: int = 4
    image: int = 224
    patch: int = 16
    channels: int = 3

    def __post_init__(self) -> None:
        if self.width % self.heads:
            raise BadInputError(
                f"width of a transformer must be a multiple of its {self.heads} heads, not {self.width}"
            )
        if self.image % self.patch:
            raise BadInputError(
                f"image of a transformer must be a multiple of its patch {self.patch}, not {self.image}"
            )

    @property
    def tokens(self) -> int:
        """Patches of an image and the class token."""
        return (self.image // self.patch) ** 2 + 1


def adder_scores(query: Tensor, key: Tensor) -> Tensor:
    """`-|q - k|_1 / sqrt(2 d (1 - 2 / pi))` of (..., N, d) queries and (..., M, d) keys as (..., N, M) (eq. 7).

    The divisor is the standard deviation of the distance between vectors of independent normal numbers (eq. 8). The
    gradient is the derivative, `sign(k - q)` for the query (eq. 23).
    """
    spread = math.sqrt(2 * query.shape[-1] * (1 - 2 / math.pi))
    return torch.cdist(query, key, p=1) / -spread


def _linear(inputs: int, outputs: int, *, is_adder: bool) -> nn.Module:
    if is_adder:
        return AdderLinear(inputs, outputs, bias=True)
    layer = nn.Linear(inputs, outputs)
    nn.init.trunc_normal_(layer.weight, std=INITIAL_SPREAD)
    nn.init.zeros_(layer.bias)
    return layer


def _scale(width: int, *, is_adder: bool) -> nn.Module:
    """What brings an adder layer's large sums to unit spread; a multiplication needs nothing."""
    return nn.LayerNorm(width) if is_adder else nn.Identity()


class Attention(nn.Module):
    """Multi-head self-attention, (B, N, width) to (B, N, width)."""

    def __init__(self, shape: TransformerShape, parts: AdderParts) -> None:
        super().__init__()
        self.heads, self.has_adder_scores = shape.heads, parts.attention
        width = shape.width
        self.qkv = _linear(width, 3 * width, is_adder=parts.linear)
        self.norm_q, self.norm_k, self.norm_v = (_scale(width, is_adder=parts.linear) for _ in range(3))
        self.norm_out = _scale(width, is_adder=parts.linear)
        self.proj = _linear(width, width, is_adder=parts.linear)
        self.norm_proj = _scale(width, is_adder=parts.linear)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, width) to the same."""
        q, k, v = self.qkv(x).chunk(3, dim=-1)
        query, key, value = (
            part.unflatten(-1, (self.heads, -1)).transpose(1, 2)
            for part in (self.norm_q(q), self.norm_k(k), self.norm_v(v))
        )
        if self.has_adder_scores:
            # (map + identity) times the values, without building the identity.
            y = adder_scores(query, key).softmax(dim=-1) @ value + value
        else:
            scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
            y = scores.softmax(dim=-1) @ value
        out: Tensor = self.norm_proj(self.proj(self.norm_out(y.transpose(1, 2).flatten(2))))
        return out


class FeedForward(nn.Module):
    """Two linear layers with a GELU between, (B, N, width) to (B, N, width)."""

    def __init__(self, shape: TransformerShape, parts: AdderParts) -> None:
        super().__init__()
        hidden = shape.expansion * shape.width
        self.fc1 = _linear(shape.width, hidden, is_adder=parts.linear)
        self.norm1 = _scale(hidden, is_adder=parts.linear)
        self.act = nn.GELU()
        self.fc2 = _linear(hidden, shape.width, is_adder=parts.linear)
        self.norm2 = _scale(shape.width, is_adder=parts.linear)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, width) to the same."""
        y: Tensor = self.norm2(self.fc2(self.act(self.norm1(self.fc1(x)))))
        return y


class TransformerBlock(nn.Module):
    """Attention and feed-forward network, each behind a layer norm and beside a shortcut."""

    def __init__(self, shape: TransformerShape, parts: AdderParts) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(shape.width)
        self.attn = Attention(shape, parts)
        self.norm2 = nn.LayerNorm(shape.width)
        self.mlp = FeedForward(shape, parts)

    def forward(self, x: Tensor) -> Tensor:
        """(B, N, width) to the same."""
        x = x + self.attn(self.norm1(x))
        y: Tensor = x + self.mlp(self.norm2(x))
        return y


class PatchEmbedding(nn.Module):
    """Patches to vectors by one multiplication, (B, C, H, W) to (B, patches, width)."""

    def __init__(self, shape: TransformerShape) -> None:
        super().__init__()
        self.proj = nn.Conv2d(shape.channels, shape.width, shape.patch, stride=shape.patch)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, patches, width), patches row by row."""
        y: Tensor = self.proj(x)
        return y.flatten(2).transpose(1, 2)


class VisionTransformer(nn.Module):
    """DeiT with adder blocks; patch embedding and head stay multiplications.

    With `multiplicative_ends` the first and the last block have no adders, as in the paper's ImageNet models.
    """

    def __init__(
        self,
        shape: TransformerShape,
        num_classes: int = 1000,
        parts: AdderParts = AdderParts.BOTH,
        *,
        multiplicative_ends: bool = False,
    ) -> None:
        super().__init__()
        self.input_shape = (shape.channels, shape.image, shape.image)
        self.patch_embed = PatchEmbedding(shape)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, shape.width))
        self.pos_embed = nn.Parameter(torch.zeros(1, shape.tokens, shape.width))
        ends = {0, shape.blocks - 1} if multiplicative_ends else set[int]()
        self.blocks = nn.Sequential(
            *(TransformerBlock(shape, AdderParts.NONE if i in ends else parts) for i in range(shape.blocks))
        )
        self.norm = nn.LayerNorm(shape.width)
        self.head = _linear(shape.width, num_classes, is_adder=False)
        for embedding in (self.cls_token, self.pos_embed):
            nn.init.trunc_normal_(embedding, std=INITIAL_SPREAD)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to logits (B, classes)."""
        patches = self.patch_embed(x)
        tokens = torch.cat([self.cls_token.expand(len(x), -1, -1), patches], dim=1) + self.pos_embed
        logits: Tensor = self.head(self.norm(self.blocks(tokens))[:, 0])
        return logits
