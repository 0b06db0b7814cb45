"""A network of your own: a function that returns a torch module with an attribute `input_shape`.

From this folder's parent:

    hwadder train examples.own_model:network --data mnist --epochs 1 --out build/own.pt
    hwadder flow --model examples.own_model:network --checkpoint build/own.pt --images 1 --out build/own
"""

from __future__ import annotations

from torch import Tensor, nn

from hwadder import Adder2d, AdderLinear


class TinyResidual(nn.Module):
    """Two adder convolutions with a residual connection, global pooling and an adder classifier, for 28x28 digits."""

    def __init__(self) -> None:
        super().__init__()
        self.input_shape = (1, 28, 28)
        self.stem = nn.Sequential(Adder2d(1, 8, 5, stride=2, padding=2), nn.BatchNorm2d(8), nn.ReLU())
        self.body = nn.Sequential(Adder2d(8, 8, 3, padding=1), nn.BatchNorm2d(8))
        self.down = nn.Sequential(Adder2d(8, 16, 3, stride=2, padding=1), nn.BatchNorm2d(16), nn.ReLU())
        self.pool = nn.MaxPool2d(2)
        self.classifier = AdderLinear(16 * 3 * 3, 10)
        # An adder layer's sums lie far from zero: without a batch norm behind it training sticks at chance.
        self.norm = nn.BatchNorm1d(10)

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, 10) of images (N, 1, 28, 28)."""
        x = self.stem(x)
        x = nn.functional.relu(self.body(x) + x)
        x = self.pool(self.down(x)).flatten(1)
        logits: Tensor = self.norm(self.classifier(x))
        return logits


def network() -> nn.Module:
    """What `--model examples.own_model:network` calls."""
    return TinyResidual()
