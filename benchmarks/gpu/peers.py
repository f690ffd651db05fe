"""PyTorch on the same GPU in the same run: cuBLAS products, and a training step replayed as a CUDA graph."""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Steps(NamedTuple):
    """Seconds of a training step: eager, its graph on the device alone, and its graph with the copy of the batch."""

    eager: float
    graph: float
    with_its_batch: float


class Peer:
    """PyTorch, if it is installed and sees the GPU.

    Attributes:
        missing: why there is nothing to compare with; None if there is.
    """

    def __init__(self, wanted: bool) -> None:
        self.missing: str | None = None
        self._torch: Any = None
        if not wanted:
            self.missing = "PyTorch was not asked for"
            return
        try:
            import torch
        except ImportError:
            self.missing = "PyTorch is not installed"
            return
        if not torch.cuda.is_available():
            self.missing = "PyTorch is installed without CUDA, or does not find the GPU"
            return
        # Products in float32 throughout: no TF32.
        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False
        self._torch = torch

    @property
    def version(self) -> str | None:
        return None if self._torch is None else str(self._torch.__version__)

    def product(self, a: Any, b: Any, layout: str, seconds: float) -> float | None:
        """Seconds of cuBLAS for a product of float32 matrices that lie as the layout says."""
        if self._torch is None:
            return None
        x, y, out = self._operands(a, b, layout)
        return self._median(lambda: self._torch.mm(x, y, out=out), seconds)

    def replayed_product(self, a: Any, b: Any, layout: str, copies: int = 50) -> float | None:
        """The same within a graph of many."""
        if self._torch is None:
            return None
        x, y, out = self._operands(a, b, layout)
        graph = self._captured(lambda: [self._torch.mm(x, y, out=out) for _ in range(copies)])
        return self._median(graph.replay, 0.05) / copies

    def step(self, widths: tuple[int, ...], batch: int, optimizer: str) -> Steps | None:
        """Seconds of a training step."""
        if self._torch is None:
            return None
        torch = self._torch
        x = torch.rand(batch, widths[0], device="cuda")
        y = torch.randint(0, widths[-1], (batch,), device="cuda")
        new_x, new_y = x.clone(), y.clone()
        step = self._step(widths, optimizer, x, y)
        eager = self._wall(step)
        graph = self._captured(step)

        def with_its_batch() -> None:
            x.copy_(new_x)
            y.copy_(new_y)
            graph.replay()

        return Steps(eager, self._median(graph.replay, 0.2), self._wall(with_its_batch))

    def _step(self, widths: tuple[int, ...], optimizer: str, x: Any, y: Any) -> Callable[[], object]:
        torch = self._torch
        layers: list[Any] = []
        for fan_in, fan_out in itertools.pairwise(widths):
            layers += [torch.nn.Linear(fan_in, fan_out), torch.nn.ReLU()]
        model = torch.nn.Sequential(*layers[:-1]).cuda()
        if optimizer == "SGD":
            rule = torch.optim.SGD(model.parameters(), lr=0.01, fused=True)
        else:
            rule = torch.optim.Adam(model.parameters(), fused=True, capturable=True)
        loss_of = torch.nn.CrossEntropyLoss()

        def step() -> object:
            rule.zero_grad(set_to_none=True)
            loss = loss_of(model(x), y)
            loss.backward()
            rule.step()
            return loss

        return step

    def _operands(self, a: Any, b: Any, layout: str) -> tuple[Any, Any, Any]:
        torch = self._torch
        x, y = (torch.from_numpy(np.ascontiguousarray(operand)).cuda() for operand in (a, b))
        x = x.T if layout[0] == "T" else x
        y = y.T if layout[1] == "T" else y
        return x, y, torch.empty(x.shape[0], y.shape[1], device="cuda")

    def _captured(self, call: Callable[[], object]) -> Any:
        torch = self._torch
        stream = torch.cuda.Stream()
        with torch.cuda.stream(stream):
            for _ in range(3):
                call()
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            call()
        return graph

    def _wall(self, call: Callable[[], object], repeats: int = 20) -> float:
        """As ``timing.Clock.wall``: by the clock on the wall, many calls at once."""
        call()
        times = []
        for _ in range(repeats):
            self._torch.cuda.synchronize()
            start = time.perf_counter()
            for _ in range(repeats):
                call()
            self._torch.cuda.synchronize()
            times.append((time.perf_counter() - start) / repeats)
        return statistics.median(times)

    def _median(self, call: Callable[[], object], seconds: float) -> float:
        """As ``timing.Clock.calls``: one by one between events, queued behind other work."""
        torch = self._torch
        ballast = torch.empty(64 << 20, device="cuda")

        def between(repeats: int) -> list[float]:
            for _ in range(min(4 * repeats, 64)):
                ballast.clone()
            events = [torch.cuda.Event(enable_timing=True) for _ in range(repeats + 1)]
            events[0].record()
            for event in events[1:]:
                call()
                event.record()
            torch.cuda.synchronize()
            return [first.elapsed_time(second) * 1e-3 for first, second in itertools.pairwise(events)]

        call()
        [estimate] = between(1)
        return statistics.median(between(min(max(int(seconds / max(estimate, 1e-6)), 3), 30)))
