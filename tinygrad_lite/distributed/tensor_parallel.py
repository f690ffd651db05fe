"""Linear layers whose units are split over the ranks: model (tensor) parallelism.

A column-parallel layer holds some of the outputs and needs its whole input, a row-parallel one holds some of the
inputs and adds up what all ranks make of theirs (the names say how W^T of y = x W^T is cut). One after the other they
split a hidden layer by its units, and the network

    ColumnParallelLinear(pixels, hidden)  ->  sigma  ->  RowParallelLinear(hidden, 10)

needs one reduction in the forward pass, of the outputs, and no message in the backward pass: every rank has the
derivative in the outputs, and from it those in its own weights, dW2 = dz2 a1^T and dW1 = (W2^T dz2 * sigma') x^T,
with the part of W2 and a1 that it holds. Only where the input itself needs a gradient do the ranks add theirs up
(``copy_to``).

Source: the course project on recognising digits, "Model parallelism"; Shoeybi et al., "Megatron-LM" (2019), section 3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tinygrad_lite import dtypes
from tinygrad_lite.autograd.graph import Tensor, make_tensor
from tinygrad_lite.autograd.rows import copied
from tinygrad_lite.distributed.collectives import copy_to, gathered, reduce_from, scatter_to
from tinygrad_lite.distributed.communicator import Communicator
from tinygrad_lite.distributed.state import check_communicator, require_equal
from tinygrad_lite.errors import ArgumentError, ShapeError, StateError, fail
from tinygrad_lite.functions.arguments import as_tensor
from tinygrad_lite.functions.network import linear
from tinygrad_lite.functions.stream import get_rng_state
from tinygrad_lite.nn.layers import Linear, floating_dtype, positive
from tinygrad_lite.nn.module import Module
from tinygrad_lite.nn.parameter import Parameter
from tinygrad_lite.nn.state import IncompatibleKeys

__all__ = ["ColumnParallelLinear", "RowParallelLinear", "full_state_dict", "load_full_state_dict"]


class SplitLinear(Module):
    """What both layers have in common: parameters that are drawn at full size and then cut.

    All ranks draw the same numbers as the serial ``nn.Linear``, so the weights do not depend on how many ranks there
    are.

    Attributes:
        comm: the ranks.
        splits: by parameter, the axis along which it is split; what is not in it every rank has whole.
    """

    splits: Mapping[str, int] = {}

    def __init__(
        self, in_features: int, out_features: int, comm: Communicator, bias: bool, dtype: dtypes.DTypeLike
    ) -> None:
        super().__init__()
        name = type(self).__name__
        self.in_features = positive(name, "in_features", in_features)
        self.out_features = positive(name, "out_features", out_features)
        kind = floating_dtype(name, dtype)
        check_communicator(name, comm)
        self.comm = comm
        _check_same_stream(name, comm)
        whole = Linear(self.in_features, self.out_features, bias, kind)
        self.weight = Parameter(self.part("weight", whole.weight.detach()))
        self.bias = None if whole.bias is None else Parameter(self.part("bias", whole.bias.detach()))

    def part(self, parameter: str, whole: Tensor) -> Tensor:
        """This rank's part of a parameter's values."""
        axis = self.splits.get(parameter)
        return whole if axis is None else scatter_to(whole, self.comm, axis)

    def full_shape(self, parameter: str) -> tuple[int, ...]:
        """The shape that the serial layer's parameter has."""
        return (self.out_features, self.in_features) if parameter == "weight" else (self.out_features,)

    def whole(self, parameter: str) -> Tensor:
        """A parameter's values put together from all ranks, on every rank."""
        value: Tensor = getattr(self, parameter)
        axis = self.splits.get(parameter)
        return (
            Tensor(value)
            if axis is None
            else _put_together(value.detach(), self.comm, axis, self.full_shape(parameter))
        )

    def extra_repr(self) -> str:
        held = " x ".join(map(str, self.weight.shape[::-1]))
        bias = "" if self.bias is not None else ", bias=False"
        return f"{self.in_features} -> {self.out_features}, rank {self.comm.rank} of {self.comm.size} has {held}{bias}"


class ColumnParallelLinear(SplitLinear):
    """y = x W^T + b, of which each rank computes some of the columns: those of its own output units.

    Args:
        in_features: m, the size of the last axis of x, which every rank has whole.
        out_features: n, split over the ranks by ``comm.bounds(n)``; need not be divisible, some may have none.
        comm: the ranks.
        bias: whether to add b.
        gather_output: whether to put the columns together, so that every rank has all of y.
        dtype: of the parameters; float32 by default.

    Attributes:
        weight: (this rank's part of out_features, in_features).
        bias: (this rank's part of out_features,) or None.

    Raises:
        ArgumentError: on every rank, if the ranks' random streams are not at the same place; also for sizes below 1.
        DTypeError: if ``comm`` is no communicator.
        ShapeError, DTypeError: in the call, if x does not fit.

    >>> from tinygrad_lite import distributed as dist, ones
    >>> layer = ColumnParallelLinear(784, 100, dist.init())
    >>> layer(ones((64, 784))).shape
    (64, 100)
    """

    splits: Mapping[str, int] = {"weight": 0, "bias": 0}

    def __init__(
        self,
        in_features: int,
        out_features: int,
        comm: Communicator,
        bias: bool = True,
        *,
        gather_output: bool = False,
        dtype: dtypes.DTypeLike = None,
    ) -> None:
        super().__init__(in_features, out_features, comm, bias, dtype)
        self.gather_output = gather_output

    def forward(self, x: Tensor) -> Tensor:
        """x of shape (..., in_features), the same on all ranks, to this rank's columns of y, or to all of them."""
        y = linear(copy_to(x, self.comm), self.weight, self.bias)
        if not self.gather_output:
            return y
        lengths = [stop - start for start, stop in self.comm.bounds(self.out_features)]
        return gathered(y, self.comm, y.ndim - 1, lengths)


class RowParallelLinear(SplitLinear):
    """y = x W^T + b, of which each rank computes the terms of its own input units; one reduction adds them up.

    Args:
        in_features: m, the size of the last axis of x over all ranks, split by ``comm.bounds(m)``.
        out_features: n, the size of the last axis of y, which every rank gets whole.
        comm: the ranks.
        bias: whether to add b: once, after the reduction, on every rank the same.
        input_is_parallel: whether x is this rank's part already, as a ``ColumnParallelLinear`` leaves it.
        dtype: of the parameters; float32 by default.

    Attributes:
        weight: (out_features, this rank's part of in_features).
        bias: (out_features,) or None.

    Raises:
        ArgumentError: on every rank, if the ranks' random streams are not at the same place; also for sizes below 1.
        DTypeError: if ``comm`` is no communicator.
        ShapeError, DTypeError: in the call, if x does not fit.

    >>> from tinygrad_lite import distributed as dist, nn, ones
    >>> comm = dist.init()
    >>> model = nn.Sequential(ColumnParallelLinear(784, 100, comm), nn.Sigmoid(), RowParallelLinear(100, 10, comm))
    >>> model(ones((64, 784))).shape
    (64, 10)
    """

    splits: Mapping[str, int] = {"weight": 1}

    def __init__(
        self,
        in_features: int,
        out_features: int,
        comm: Communicator,
        bias: bool = True,
        *,
        input_is_parallel: bool = True,
        dtype: dtypes.DTypeLike = None,
    ) -> None:
        super().__init__(in_features, out_features, comm, bias, dtype)
        self.input_is_parallel = input_is_parallel

    def forward(self, x: Tensor) -> Tensor:
        """x of shape (..., this rank's part of in_features), or whole, to all of y on every rank."""
        self._check_features(x)
        if not self.input_is_parallel:
            x = scatter_to(x, self.comm)
        y = reduce_from(linear(x, self.weight), self.comm)
        return y if self.bias is None else y + self.bias

    def _check_features(self, x: Tensor) -> None:
        """Refuse x of another size here: ``linear`` knows this rank's part of the weight only."""
        features, what = self.in_features, "in_features"
        if self.input_is_parallel:
            features, what = self.weight.shape[1], f"this rank's part of in_features={self.in_features}"
        if not isinstance(x, Tensor) or not x.ndim or x.shape[-1] == features:
            return
        hint = "in_features counts the features of all ranks together"
        if x.shape[-1] == self.in_features:
            hint = "scatter_to(x, comm) makes it; RowParallelLinear(..., input_is_parallel=False) does so itself"
        need = f"needs x.shape[-1] == {features}, {what}, but got {x.shape[-1]}"
        fail(ShapeError, "RowParallelLinear", need, {"x": x}, hint)


def full_state_dict(model: Module) -> dict[str, Tensor]:
    """``model.state_dict()`` as the serial model has it: split parameters are put together, on every rank.

    All ranks call it. With ``nn.Linear`` in the places of the parallel layers the result loads into the serial model.
    It knows ``ColumnParallelLinear`` and ``RowParallelLinear``; of any other split layer it has this rank's part.

    >>> from tinygrad_lite import distributed as dist, nn
    >>> model = nn.Sequential(ColumnParallelLinear(3, 2, dist.init()))
    >>> nn.Sequential(nn.Linear(3, 2)).load_state_dict(full_state_dict(model))
    IncompatibleKeys(missing_keys=[], unexpected_keys=[])
    """
    state = model.state_dict()
    for name, layer, parameter in _split(model):
        state[name] = layer.whole(parameter)
    return state


def load_full_state_dict(model: Module, state_dict: Mapping[str, Any], strict: bool = True) -> IncompatibleKeys:
    """``model.load_state_dict`` from the serial model's state: every rank takes its parts. No message is sent.

    It knows ``ColumnParallelLinear`` and ``RowParallelLinear``; for any other split layer it takes this rank's part.

    Args:
        model: with parallel layers in the places of the serial model's ``nn.Linear``.
        state_dict: tensors or NumPy arrays by dotted name, the same on all ranks.
        strict: whether the names must be exactly those of the model.

    Returns:
        ``(missing_keys, unexpected_keys)``, both empty if strict.

    Raises:
        StateError: if a split parameter has another shape than the serial layer's, or as ``load_state_dict``.

    >>> from tinygrad_lite import distributed as dist, nn
    >>> model = nn.Sequential(RowParallelLinear(3, 2, dist.init()))
    >>> load_full_state_dict(model, nn.Sequential(nn.Linear(3, 2)).state_dict())
    IncompatibleKeys(missing_keys=[], unexpected_keys=[])
    """
    parts = dict(state_dict)
    for name, layer, parameter in _split(model):
        if name not in parts:
            continue
        whole = as_tensor("load_full_state_dict", parts[name], name)
        full = layer.full_shape(parameter)
        if whole.shape != full:
            need = f"needs {name} of the serial shape {full}"
            hint = "full_state_dict(model) has that layout, model.state_dict() only this rank's parts"
            fail(StateError, "load_full_state_dict", need, {name: whole}, hint)
        parts[name] = layer.part(parameter, whole)
    return model.load_state_dict(parts, strict)


def _split(model: Module) -> Iterator[tuple[str, SplitLinear, str]]:
    """Dotted name, layer and own name of every parameter that is split."""
    for path, module in model.named_modules(remove_duplicate=False):
        if isinstance(module, SplitLinear):
            for parameter in module.splits:
                if getattr(module, parameter) is not None:
                    yield (f"{path}.{parameter}" if path else parameter), module, parameter


def _put_together(part: Tensor, comm: Communicator, axis: int, full: tuple[int, ...]) -> Tensor:
    lengths = [stop - start for start, stop in comm.bounds(full[axis])]
    return make_tensor(copied(gathered(part, comm, axis, lengths)._data))


def _check_same_stream(operation: str, comm: Communicator) -> None:
    """Ranks that draw different numbers would cut their parts from different matrices."""
    stream = get_rng_state()
    place = f"seed {stream['seed']} after {stream['counter']} draws"
    hint = "call tinygrad_lite.manual_seed with one seed on all ranks before the model is made"
    require_equal(comm, ArgumentError, operation, "the same random numbers on all ranks", [place], hint)
