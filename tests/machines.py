"""What tests of Boltzmann machines have in common."""

import torch


def scattered(machine, source, scale=1.0):
    """The machine with random parameters, and random offsets where it has some."""
    with torch.no_grad():
        for parameter in machine.parameters():
            parameter.copy_(scale * torch.randn(parameter.shape, generator=source))
        if machine.centred:
            for offset in (machine.visible_offset, machine.hidden_offset):
                offset.copy_(torch.rand(offset.shape, generator=source))
    return machine
