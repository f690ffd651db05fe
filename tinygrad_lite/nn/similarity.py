"""The cosine similarity as a module. Its signature follows PyTorch's."""

from __future__ import annotations

from tinygrad_lite.autograd.graph import Tensor
from tinygrad_lite.functions.similarity import cosine_similarity
from tinygrad_lite.nn.module import Module

__all__ = ["CosineSimilarity"]


class CosineSimilarity(Module):
    """The cosine of the angle between vectors that lie along ``dim``; see ``cosine_similarity``.

    >>> CosineSimilarity()(Tensor([[1.0, 0.0]]), Tensor([[2.0, 0.0]]))
    Tensor([1.])
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim, self.eps = dim, eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Two tensors that broadcast to their cosines, without the axis ``dim``."""
        return cosine_similarity(x1, x2, axis=self.dim, eps=self.eps)

    def extra_repr(self) -> str:
        return f"dim={self.dim}"
