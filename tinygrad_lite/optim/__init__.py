"""Optimisers, learning-rate schedules and gradient clipping, with PyTorch's names, defaults and formulas.

optimizer = optim.Adam(model.parameters(), lr=1e-3)
for x, y in loader:
    optimizer.zero_grad()
    loss(model(x), y).backward()
    optimizer.step()
"""

import sys as _sys
from typing import TYPE_CHECKING as _TYPE_CHECKING

from tinygrad_lite.optim import schedules as lr_scheduler
from tinygrad_lite.optim.adagrad import Adagrad
from tinygrad_lite.optim.adam import Adam, AdamW
from tinygrad_lite.optim.clipping import clip_grad_norm_, clip_grad_value_, get_total_norm
from tinygrad_lite.optim.optimizer import Optimizer
from tinygrad_lite.optim.rmsprop import RMSProp, RMSprop
from tinygrad_lite.optim.sgd import SGD

_sys.modules[f"{__name__}.lr_scheduler"] = lr_scheduler  # import tinygrad_lite.optim.lr_scheduler, as in PyTorch

__all__ = [
    "Optimizer",
    "SGD",
    "Adagrad",
    "RMSprop",
    "RMSProp",
    "Adam",
    "AdamW",
    "lr_scheduler",
    "clip_grad_norm_",
    "clip_grad_value_",
    "get_total_norm",
]

if not _TYPE_CHECKING:  # mypy knows every name

    def __getattr__(name: str) -> object:
        from tinygrad_lite.dialects import refuse_attribute

        refuse_attribute(__name__, name)
