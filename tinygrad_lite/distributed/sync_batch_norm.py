"""Batch normalisation over the batches of all ranks, as if they were one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor, make_tensor
from tinygrad_lite.autograd.record import apply
from tinygrad_lite.autograd.rows import Joint, Row
from tinygrad_lite.backends.devices import on_host
from tinygrad_lite.distributed.collectives import allreduce
from tinygrad_lite.distributed.state import check_communicator
from tinygrad_lite.errors import DTypeError, ShapeError, fail
from tinygrad_lite.nn.module import Module
from tinygrad_lite.nn.normalization import BatchNorm1d

if TYPE_CHECKING:
    from tinygrad_lite.distributed.communicator import Communicator

__all__ = ["SyncBatchNorm"]


class SyncBatchNorm(BatchNorm1d):
    """``nn.BatchNorm1d`` whose mean and variance are those of the batches of all ranks together.

    Outputs, gradients and running statistics are those of one process on the concatenation of the batches, which may
    differ in length, and be empty on some ranks. In training, forward and backward send one message of 2 C + 1 and
    4 C numbers; evaluation sends none (without running statistics it is like training).

    Each rank takes count, mean and sum of squared deviations of its own batch; they are merged pairwise (Chan, Golub
    and LeVeque 1979, formula 2.1), which loses nothing to cancellation:

        delta = mean_b - mean_a,  mean = mean_a + delta n_b / n,  M = M_a + M_b + delta^2 n_a n_b / n

    Args:
        num_features: C, the number of channels.
        comm: the ranks.
        eps, momentum, affine, track_running_stats, dtype: as for ``nn.BatchNorm1d``.

    Raises:
        ShapeError: in the call, on every rank, if the ranks together have one value per channel only; on one rank, if x
            is not (N, C) or (N, C, L).
        DTypeError: in the call, if x has another dtype than the layer.

    >>> from tinygrad_lite import distributed as dist
    >>> layer = SyncBatchNorm(1, dist.init(), eps=0.0)
    >>> layer(Tensor([[1.0], [3.0]])).tolist(), layer.running_var
    ([[-1.0], [1.0]], Tensor([1.1]))
    """

    def __init__(
        self,
        num_features: int,
        comm: Communicator,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        dtype: dtypes.DTypeLike = None,
    ) -> None:
        check_communicator("SyncBatchNorm", comm)
        super().__init__(num_features, eps, momentum, affine, track_running_stats, dtype)
        self.comm = comm

    @staticmethod
    def convert(model: Module, comm: Communicator) -> Module:
        """Make every ``nn.BatchNorm1d`` in a model a synchronised one, with its parameters and statistics.

        Args:
            model: changed in place. An optimiser and ``DataParallel`` may come before or after.
            comm: the ranks.

        Returns:
            The model; a new module if it is itself a ``BatchNorm1d``.

        >>> from tinygrad_lite import distributed as dist, nn
        >>> SyncBatchNorm.convert(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)), dist.init())[1]
        SyncBatchNorm(2)
        """
        if not isinstance(model, Module):
            fail(DTypeError, "SyncBatchNorm.convert", "needs a module", {"model": model}, "pass the network itself")
        check_communicator("SyncBatchNorm.convert", comm)
        made: dict[Module, Module] = {}  # a shared layer stays shared
        for module in list(model.modules()):
            for name, child in list(module.__dict__.items()):
                if type(child) is BatchNorm1d:
                    setattr(module, name, made.setdefault(child, _converted(child, comm)))
        return _converted(model, comm) if type(model) is BatchNorm1d else model

    def forward(self, x: Tensor) -> Tensor:
        """x of shape (N, C) or (N, C, L), normalised; in training every rank has to call."""
        if not self.training and self.running_mean is not None:
            return super().forward(x)
        self._check(x)
        moments = _moments(x, self.comm)
        if moments.total < 2:
            hint = "use larger batches, or call eval()"
            fail(
                ShapeError,
                "SyncBatchNorm",
                "needs more than one value per channel on all ranks together",
                {"x": x},
                hint,
            )
        y, mean, rstd = apply(_SYNC_BATCH_NORM, (x, self.weight, self.bias), (self.eps, moments, self.comm))
        if self.training and self.running_mean is not None and self.running_var is not None:
            self._track(self.running_mean, self.running_var, mean, rstd, moments.total)
        return y


class _Moments(NamedTuple):
    """How many values there are per channel, their mean and their variance: float64, of all ranks."""

    total: int
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]


def _converted(layer: BatchNorm1d, comm: Communicator) -> SyncBatchNorm:
    new = SyncBatchNorm(layer.num_features, comm, layer.eps, layer.momentum, False, False)
    buffers, hooks = dict(layer._buffers), layer._hooks
    new.__dict__.update({**layer.__dict__, "_buffers": buffers, "_hooks": hooks, "comm": comm})
    return new


def _moments(x: Tensor, comm: Communicator) -> _Moments:
    data = x._data
    axes = (0, *range(2, data.ndim))
    count = data.size // data.shape[1]
    own = np.zeros((1, 1 + 2 * data.shape[1]))
    if count:
        local = on_host(data).astype(np.float64, copy=False)
        mean = local.mean(axes)
        centred = local - mean.reshape(-1, *(1,) * (data.ndim - 2))
        own[0] = np.concatenate([[count], mean, (centred * centred).sum(axes)])
    n, mean, squares = 0.0, np.zeros(data.shape[1]), np.zeros(data.shape[1])
    for one in comm.all_gather(own):
        more, means, others = one[0], *np.split(one[1:], 2)
        if more:
            delta = means - mean
            squares = squares + others + delta * delta * (n * more / (n + more))
            n += more
            mean = mean + delta * (more / n)
    return _Moments(int(n), mean, squares / max(n, 1.0))


# --- the operation, with the rules of batch_norm but for the sums, which go over the ranks ------------------------


def _column(xp: Any, v: Any, ndim: int) -> Any:
    return xp.reshape(v, (1, v.shape[0], *(1,) * (ndim - 2)))


def _sum(xp: Any, x: Any) -> Any:
    """Over all but the channels."""
    return xp.sum(x, (0, *range(2, x.ndim)), False)


def _over_ranks(xp: Any, comm: Communicator, *vectors: Any) -> list[Any]:
    """The sums over the ranks of vectors of one length, in one message; differentiable if they are tensors."""
    joined = xp.concat(vectors)
    total = allreduce(joined, comm) if isinstance(joined, Tensor) else comm.allreduce(make_tensor(joined))._data
    size = vectors[0].shape[0]
    return [total[i * size : (i + 1) * size] for i in range(len(vectors))]


def _forward(xp: Any, x: Any, weight: Any, bias: Any, eps: float, moments: _Moments, comm: Communicator) -> Any:
    mean = xp.astype(xp.asarray(moments.mean), x.dtype)
    rstd = xp.astype(xp.asarray(1 / np.sqrt(moments.variance + eps)), x.dtype)
    y = (x - _column(xp, mean, x.ndim)) * _column(xp, rstd, x.ndim)
    if weight is not None:
        y = y * _column(xp, weight, x.ndim)
    if bias is not None:
        y = y + _column(xp, bias, x.ndim)
    return y, mean, rstd


def _vjp(
    xp: Any, g: Any, needs: Any, x: Any, weight: Any, mean: Any, rstd: Any, moments: _Moments, comm: Communicator
) -> Any:
    gy, gmean, grstd = g
    ndim, count = x.ndim, moments.total
    normal = (x - _column(xp, mean, ndim)) * _column(xp, rstd, ndim)
    if gy is None:
        gy = xp.zeros_like(x)
    # Those of weight and bias stay sums over this rank, like the gradients of all parameters.
    gx, gw, gb = None, _sum(xp, gy * normal), _sum(xp, gy)
    if needs[0]:
        through, straight = (gw, gb) if weight is None else (gw * weight, gb * weight)
        outputs = [xp.zeros_like(mean) if share is None else share for share in (gmean, grstd)]
        through, straight, gmean, grstd = _over_ranks(xp, comm, through, straight, *outputs)
        gn = gy if weight is None else gy * _column(xp, weight, ndim)
        # d mean / dx = 1 / count, d rstd / dx = -rstd^2 normal / count
        shift = (gmean - rstd * straight) / count
        slope = rstd * (through + rstd * grstd) / count
        gx = gn * _column(xp, rstd, ndim) + _column(xp, shift, ndim) - normal * _column(xp, slope, ndim)
    return gx, gw if needs[1] else None, gb if needs[2] else None


def _jvp(
    xp: Any, tangents: Any, x: Any, weight: Any, mean: Any, rstd: Any, moments: _Moments, comm: Communicator
) -> Any:
    dx, dw, db = tangents
    ndim, count = x.ndim, moments.total
    normal = (x - _column(xp, mean, ndim)) * _column(xp, rstd, ndim)
    dy = dmean = drstd = None
    if dx is not None:
        dmean, through = (total / count for total in _over_ranks(xp, comm, _sum(xp, dx), _sum(xp, dx * normal)))
        drstd = -rstd * rstd * through
        dy = _column(xp, rstd, ndim) * (dx - _column(xp, dmean, ndim) - normal * _column(xp, through, ndim))
        dy = dy if weight is None else dy * _column(xp, weight, ndim)
    if dw is not None:
        term = normal * _column(xp, dw, ndim)
        dy = term if dy is None else dy + term
    if db is not None:
        term = xp.broadcast_to(_column(xp, db, ndim), x.shape)
        dy = term if dy is None else dy + term
    return dy, dmean, drstd


_SYNC_BATCH_NORM = Row(
    "sync_batch_norm",
    "x weight bias | eps moments comm -> ans mean rstd",
    _forward,
    Joint(_vjp, _jvp),
    False,
    {},
)
