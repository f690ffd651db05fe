"""BatchNorm1d: the lecture's reparametrisation of a layer, with the running statistics that evaluation needs."""

from __future__ import annotations

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor, no_grad
from tinygrad_lite.errors import ArgumentError, DTypeError, ShapeError, fail
from tinygrad_lite.functions.arguments import as_tensor
from tinygrad_lite.functions.creation import ones, ones_like, zeros, zeros_like
from tinygrad_lite.functions.elementwise import maximum, sqrt, square
from tinygrad_lite.functions.manipulation import reshape
from tinygrad_lite.functions.network import batch_norm
from tinygrad_lite.nn.layers import floating_dtype, positive
from tinygrad_lite.nn.module import Module
from tinygrad_lite.nn.parameter import Parameter

__all__ = ["BatchNorm1d"]


class BatchNorm1d(Module):
    """H' = (H - mu) / sqrt(delta + mean((H - mu)^2)), then weight * H' + bias, for each channel.

    The lecture's formula, with delta (``eps``) inside the root (Ioffe and Szegedy 2015). In training mu and
    the variance are those of the minibatch, and the running statistics follow them:

        running = (1 - momentum) * running + momentum * current

    with the unbiased variance (division by M - 1). In evaluation the running statistics take their place.

    Args:
        num_features: C, the number of channels.
        eps: delta.
        momentum: the share of the current batch; None averages all batches evenly.
        affine: whether there are ``weight`` (ones at first) and ``bias`` (zeros), both (C,).
        track_running_stats: False normalises with the batch's own statistics in evaluation too.

    Raises:
        ShapeError: in the call, if x is not (N, C) or (N, C, L), or there is one value per channel only.
        DTypeError: in the call, if x has another dtype than the layer.

    >>> layer = BatchNorm1d(1, eps=0.0)
    >>> layer(Tensor([[1.0], [3.0]])).tolist(), layer.running_mean, layer.running_var
    ([[-1.0], [1.0]], Tensor([0.2]), Tensor([1.1]))
    """

    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        dtype: dtypes.DTypeLike = None,
    ) -> None:
        super().__init__()
        self.num_features = positive("BatchNorm1d", "num_features", num_features)
        if not eps >= 0:
            hint = "it is added to the variance: 1e-5 is usual"
            fail(ArgumentError, "BatchNorm1d", f"needs eps of at least 0, but got {eps}", {}, hint)
        if momentum is not None and not 0 <= momentum <= 1:
            hint = "it is the share of the new batch in the running statistics: 0.1 is usual"
            need = f"needs a momentum from 0 to 1, or None, but got {momentum}"
            fail(ArgumentError, "BatchNorm1d", need, {}, hint)
        self.eps, self.momentum = eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        kind = floating_dtype("BatchNorm1d", dtype)
        self.weight = Parameter(ones(self.num_features, kind)) if affine else None
        self.bias = Parameter(zeros(self.num_features, kind)) if affine else None
        self.register_buffer("running_mean", zeros(self.num_features, kind) if track_running_stats else None)
        self.register_buffer("running_var", ones(self.num_features, kind) if track_running_stats else None)
        self.register_buffer("num_batches_tracked", Tensor(0) if track_running_stats else None)

    def reset_running_stats(self) -> None:
        """Forget the batches seen so far."""
        if self.running_mean is not None and self.running_var is not None:
            self.running_mean = zeros_like(self.running_mean)
            self.running_var = ones_like(self.running_var)
            self.num_batches_tracked = zeros_like(self.num_batches_tracked)

    def forward(self, x: Tensor) -> Tensor:
        """x of shape (N, C) or (N, C, L), normalised."""
        self._check(x)
        mean, variance = self.running_mean, self.running_var
        if not self.training and mean is not None and variance is not None:
            scale = 1.0 / sqrt(variance + self.eps)
            if self.weight is not None:
                scale = scale * self.weight
            y = (x - _column(mean, x)) * _column(scale, x)
            return y if self.bias is None else y + _column(self.bias, x)
        count = x.size // self.num_features
        if count < 2:
            hint = "use a larger batch, drop the last one (drop_last=True), or call eval()" if self.training else ""
            fail(ShapeError, "BatchNorm1d", "needs more than one value per channel", {"x": x}, hint)
        y, batch_mean, rstd = batch_norm(x, self.weight, self.bias, self.eps)
        if self.training and mean is not None and variance is not None:
            self._track(mean, variance, batch_mean, rstd, count)
        return y

    def _track(self, mean: Tensor, variance: Tensor, batch_mean: Tensor, rstd: Tensor, count: int) -> None:
        """Move the running statistics; each becomes a new tensor, so that a kept one keeps its value."""
        assert self.num_batches_tracked is not None
        with no_grad():
            batches = self.num_batches_tracked + 1
            share = 1.0 / batches.item() if self.momentum is None else self.momentum
            # 1/sigma^2 = delta + variance came out of the forward pass. Rounding may leave less than delta.
            # Float64, because the square of a float16 would overflow.
            biased = maximum(1.0 / square(rstd.astype("float64")) - self.eps, 0.0)
            unbiased = (biased * (count / (count - 1))).astype(variance.dtype)
            moved = mean * (1.0 - share) + batch_mean * share, variance * (1.0 - share) + unbiased * share
            (self.running_mean, self.running_var), self.num_batches_tracked = moved, batches

    def _check(self, x: Tensor) -> None:
        channels = self.num_features
        if not isinstance(x, Tensor):
            x = as_tensor("BatchNorm1d", x)
        shape = x.shape
        if len(shape) not in (2, 3) or shape[1] != channels:
            need = f"needs x of shape (N, {channels}) or (N, {channels}, L)"
            hint = f"flatten to (N, {channels}) first, and back with reshape"
            if len(shape) in (2, 3):
                hint = f"num_features={shape[1]} fits this x"
                if len(shape) == 3 and shape[2] == channels:
                    hint = "channels are axis 1: x.permute_dims(0, 2, 1)"
            fail(ShapeError, "BatchNorm1d", need, {"x": x}, hint)
        own = self.weight if self.weight is not None else self.running_mean
        if own is not None and x.dtype != own.dtype:
            named = {"x": x, "weight" if own is self.weight else "running_mean": own}
            fail(DTypeError, "BatchNorm1d", "needs one dtype", named, f'x.astype("{own.dtype.name}")')

    def extra_repr(self) -> str:
        options = {"eps": 1e-5, "momentum": 0.1, "affine": True, "track_running_stats": True}
        changed = [f"{k}={getattr(self, k)}" for k, default in options.items() if getattr(self, k) != default]
        return ", ".join([str(self.num_features), *changed])


def _column(v: Tensor, like: Tensor) -> Tensor:
    """A vector of channels in a shape that broadcasts along axis 1 of ``like``."""
    return v if len(like.shape) == 2 else reshape(v, (-1, *(1,) * (len(like.shape) - 2)))
