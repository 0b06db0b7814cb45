"""The processes that train together: one alone, or as many as torchrun started."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, distributed, nn


@dataclass(frozen=True, slots=True)
class Processes:
    """This process's place among those that train together."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes files and shows progress."""
        return self.rank == 0

    def agreed(self, *decisions: bool) -> list[bool]:
        """The first process's decisions, in every process."""
        if self.count == 1:
            return list(decisions)
        # On the CPU, so that a GPU's queue need not run empty first.
        tensor = torch.tensor(decisions)
        distributed.broadcast(tensor, 0)
        return [bool(each) for each in tensor]

    def summed(self, values: Tensor) -> Tensor:
        """The sum of a tensor over all processes; `values` itself stays as it is."""
        if self.count == 1:
            return values
        total = values.clone()
        distributed.all_reduce(total)
        return total

    def share_buffers(self, model: nn.Module) -> None:
        """Give every process the first one's running statistics of batch norm."""
        if self.count > 1:
            for buffer in model.buffers():
                distributed.broadcast(buffer, 0)

    def wait(self) -> None:
        """Until every process has come here."""
        if self.count > 1:
            distributed.barrier()


def first_process() -> bool:
    """Whether torchrun started this process as the first, or not at all."""
    return os.environ.get("RANK", "0") == "0"


def local_rank() -> int:
    """This process's number on its machine, which is that of its GPU."""
    return int(os.environ.get("LOCAL_RANK", "0"))


@contextlib.contextmanager
def joined_processes(device: torch.device) -> Iterator[Processes]:
    """Join the processes that torchrun started (gloo on the CPU, NCCL between GPUs); one process is alone."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Processes()
        return
    distributed.init_process_group("gloo" if device.type == "cpu" else "cpu:gloo,cuda:nccl")
    try:
        yield Processes(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
