"""Adder attention and adder transformers beside the paper's formulas, written out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hwadder.layers import AdderLinear
from hwadder.vision_transformer import (
    AdderParts,
    Attention,
    TransformerBlock,
    TransformerShape,
    VisionTransformer,
    adder_scores,
)
from quant.errors import BadInputError

SMALL = TransformerShape(width=12, heads=3, blocks=3, image=8, patch=4, channels=2)


def test_scores_and_their_gradient_are_the_papers() -> None:
    """Eq. 7 and 23, element by element."""
    torch.manual_seed(0)
    q, k = torch.randn(2, 4, 5, dtype=torch.double), torch.randn(2, 3, 5, dtype=torch.double)
    k[0, 0, 0] = q[0, 0, 0]  # the derivative of |.| at 0 is taken as 0
    q.requires_grad_()
    k.requires_grad_()
    g = torch.randn(2, 4, 3, dtype=torch.double)
    scores = adder_scores(q, k)
    torch.autograd.backward(scores, g)
    spread = math.sqrt(2 * 5 * (1 - 2 / math.pi))
    differences = (k[:, None] - q[:, :, None]).detach()
    torch.testing.assert_close(scores, -differences.abs().sum(-1) / spread, rtol=1e-13, atol=1e-13)
    slope = differences.sign() / spread * g[..., None]
    torch.testing.assert_close(q.grad, slope.sum(2), rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(k.grad, -slope.sum(1), rtol=1e-13, atol=1e-13)


def test_the_divisor_is_the_spread_of_the_distance() -> None:
    """Eq. 8: the scores of independent normal vectors have variance 1."""
    torch.manual_seed(1)
    q, k = torch.randn(20_000, 1, 64), torch.randn(20_000, 1, 64)
    assert abs(adder_scores(q, k).var().item() - 1) < 0.05


def adder_linear_input_gradient(x: Tensor, layer: AdderLinear, grad: Tensor) -> Tensor:
    """Eq. 6: `sum_f grad_f HardTanh(w_f - x)`."""
    return (F.hardtanh(layer.adder - x[..., None, :]) * grad[..., None]).sum(-2)


def test_an_adder_block_is_the_papers_written_out() -> None:
    """Forward of a whole block, and the gradient that reaches its input through the last linear layer (eq. 5-9, 20)."""
    torch.manual_seed(2)
    block = TransformerBlock(SMALL, AdderParts.BOTH).double()
    x = torch.randn(2, 5, 12, dtype=torch.double)

    def norm(y: Tensor, layer: nn.Module) -> Tensor:
        assert isinstance(layer, nn.LayerNorm)
        centred = y - y.mean(-1, keepdim=True)
        return centred / (centred.pow(2).mean(-1, keepdim=True) + layer.eps).sqrt() * layer.weight + layer.bias

    def adder(y: Tensor, layer: nn.Module) -> Tensor:
        assert isinstance(layer, AdderLinear)
        assert layer.b is not None
        return -(y[..., None, :] - layer.adder).abs().sum(-1) + layer.b

    attn, mlp = block.attn, block.mlp
    qkv = adder(norm(x, block.norm1), attn.qkv)
    q, k, v = (norm(qkv[..., 12 * i : 12 * i + 12], n) for i, n in enumerate((attn.norm_q, attn.norm_k, attn.norm_v)))
    heads = []
    for head in range(3):
        mine = slice(4 * head, 4 * head + 4)
        distance = (q[:, :, None, mine] - k[:, None, :, mine]).abs().sum(-1)
        attention = (-distance / math.sqrt(2 * 4 * (1 - 2 / math.pi))).softmax(-1)
        heads.append((attention + torch.eye(5, dtype=torch.double)) @ v[..., mine])
    x1 = x + norm(adder(norm(torch.cat(heads, -1), attn.norm_out), attn.proj), attn.norm_proj)
    hidden = F.gelu(norm(adder(norm(x1, block.norm2), mlp.fc1), mlp.norm1))
    expected = x1 + norm(adder(hidden, mlp.fc2), mlp.norm2)
    torch.testing.assert_close(block(x), expected, rtol=1e-12, atol=1e-12)


def test_an_adder_linear_layer_passes_the_clamped_gradient() -> None:
    torch.manual_seed(3)
    layer = AdderLinear(12, 7, bias=True).double()
    x = torch.randn(2, 5, 12, dtype=torch.double, requires_grad=True)
    grad = torch.randn(2, 5, 7, dtype=torch.double)
    layer(x).backward(grad)
    expected = adder_linear_input_gradient(x.detach(), layer, grad)
    torch.testing.assert_close(x.grad, expected, rtol=1e-12, atol=1e-12)


def test_without_adders_attention_is_the_dot_product_one() -> None:
    torch.manual_seed(4)
    attention = Attention(SMALL, AdderParts.NONE)
    assert isinstance(attention.qkv, nn.Linear)
    x = torch.randn(2, 5, 12)
    query, key, value = (part.unflatten(-1, (3, 4)).transpose(1, 2) for part in attention.qkv(x).chunk(3, -1))
    expected = attention.proj(F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))
    torch.testing.assert_close(attention(x), expected)


@pytest.mark.parametrize("parts", AdderParts)
@pytest.mark.parametrize("ends", [False, True])
def test_the_parts_that_were_asked_for_are_adders(parts: AdderParts, ends: bool) -> None:
    model = VisionTransformer(SMALL, 4, parts, multiplicative_ends=ends)
    blocks = [block for block in model.blocks if isinstance(block, TransformerBlock)]
    scores = [block.attn.has_adder_scores for block in blocks]
    linear = [{type(m) for m in block.modules()} & {nn.Linear, AdderLinear} for block in blocks]
    inner = [True] * 3 if not ends else [False, True, False]
    assert scores == [parts.attention and each for each in inner]
    assert linear == [{AdderLinear} if parts.linear and each else {nn.Linear} for each in inner]
    assert isinstance(model.head, nn.Linear)
    assert model(torch.zeros(2, 2, 8, 8)).shape == (2, 4)


def test_a_multiplicative_deit_has_deits_parameters() -> None:
    """5,717,416, the 5.7 M that the DeiT paper prints for DeiT-Tiny (table 1)."""
    with torch.device("meta"):
        model = VisionTransformer(TransformerShape(192, 3), 1000, AdderParts.NONE)
    assert sum(parameter.numel() for parameter in model.parameters()) == 5_717_416
    assert {"cls_token", "pos_embed", "patch_embed.proj.weight", "blocks.11.attn.qkv.weight", "head.bias"} <= set(
        model.state_dict()
    )


def test_deit_tiny_with_adders_learns_two_images() -> None:
    torch.manual_seed(5)
    model = VisionTransformer(TransformerShape(192, 3, image=32), 2)
    images, labels = torch.randn(2, 3, 32, 32), torch.tensor([0, 1])
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3)
    losses = []
    for _ in range(8):
        loss = F.cross_entropy(model(images), labels)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


def test_sizes_that_do_not_divide_are_named() -> None:
    with pytest.raises(BadInputError) as error:
        TransformerShape(width=100, heads=3)
    assert str(error.value) == "width of a transformer must be a multiple of its 3 heads, not 100"
    with pytest.raises(BadInputError) as error:
        TransformerShape(width=192, heads=3, image=225)
    assert str(error.value) == "image of a transformer must be a multiple of its patch 16, not 225"
