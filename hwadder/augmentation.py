"""Batches of images changed at random, on the device they are on, from torch's random numbers there."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional as F

from hwadder.train_config import TrainConfig


def augmented(images: Tensor, config: TrainConfig) -> Tensor:
    """uint8 images (N, C, H, W), each moved, turned, scaled and mirrored at random within the configuration's bounds;
    black moves in."""
    count, _, height, width = images.shape
    device = images.device
    if config.rotate_degrees or config.scale_fraction or config.warp_pixels:
        images = _deformed(images, math.radians(config.rotate_degrees), config.scale_fraction, config.warp_pixels)
    if config.shift_pixels:
        padded = F.pad(images, (config.shift_pixels,) * 4)
        top, left = torch.randint(0, 2 * config.shift_pixels + 1, (2, count, 1), device=device)
        rows, columns = top + torch.arange(height, device=device), left + torch.arange(width, device=device)
        each = torch.arange(count, device=device)[:, None, None]
        images = padded[each, :, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)
    if config.flip:
        images = torch.where(torch.rand(count, 1, 1, 1, device=device) < 0.5, images.flip(3), images)
    return images.contiguous()


def _deformed(images: Tensor, radians: float, fraction: float, warp_pixels: float) -> Tensor:
    """Each image turned by up to `radians` and scaled on each axis by up to `fraction`, both uniformly drawn, and bent
    by a smooth field of displacements with a standard deviation of about `warp_pixels`."""
    count, _, height, width = images.shape
    device = images.device
    angle, across, down = torch.rand(3, count, device=device) * 2 - 1
    cosine, sine = torch.cos(angle * radians), torch.sin(angle * radians)
    across, down, zero = 1 + across * fraction, 1 + down * fraction, torch.zeros_like(angle)
    rows = torch.stack([across * cosine, -across * sine, zero, down * sine, down * cosine, zero], dim=1)
    grid = F.affine_grid(rows.view(-1, 2, 3), list(images.shape), align_corners=False)
    # One draw per quarter of an axis, interpolated: neighbours move together (Simard et al., ICDAR 2003).
    draws = torch.randn(count, 2, 4, 4, device=device)
    field = F.interpolate(draws, (height, width), mode="bicubic", align_corners=False)
    # The grid's axes run from -1 to 1.
    pixels = torch.tensor([2 / width, 2 / height], device=device)
    grid += field.permute(0, 2, 3, 1) * pixels * warp_pixels
    return F.grid_sample(images.float(), grid, align_corners=False).round().byte()
