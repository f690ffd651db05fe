"""A job: networks whose layers are split over the ranks against the serial ones."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
from mpi4py import MPI

import tinygrad_lite as tgl
from distributed.checking import check, run, same_refusal
from tinygrad_lite import Tensor, nn, optim
from tinygrad_lite import distributed as dist
from tinygrad_lite.errors import ArgumentError, DTypeError, ShapeError, StateError
from tinygrad_lite.nn import functional as F

comm = dist.init()
PIXELS, CLASSES, BATCH = 6, 4, 9
numbers = np.random.default_rng(3)  # the same on all ranks
IMAGES, LABELS = Tensor(numbers.normal(size=(BATCH, PIXELS))), Tensor(numbers.integers(0, CLASSES, BATCH))

#: widths of the hidden layer: divisible by some of 2, 3 and 4 ranks, by none, and smaller than 4
WIDTHS = (12, 7, 3, 1)
OPTIMIZERS: dict[str, Callable[..., optim.Optimizer]] = {
    "SGD": lambda p: optim.SGD(p, lr=0.5),
    "momentum": lambda p: optim.SGD(p, lr=0.2, momentum=0.9, weight_decay=0.01),
    "Adam": lambda p: optim.Adam(p, lr=0.05),
}


def serial(hidden: int) -> nn.Sequential:
    tgl.manual_seed(1)
    layers = nn.Linear(PIXELS, hidden, dtype="float64"), nn.Sigmoid(), nn.Linear(hidden, CLASSES, dtype="float64")
    return nn.Sequential(*layers)


def parallel(hidden: int, among: dist.Communicator = comm) -> nn.Sequential:
    tgl.manual_seed(1)
    first = dist.ColumnParallelLinear(PIXELS, hidden, among, dtype="float64")
    return nn.Sequential(first, nn.Sigmoid(), dist.RowParallelLinear(hidden, CLASSES, among, dtype="float64"))


def same_state(model: nn.Module, reference: nn.Module, rtol: float = 1e-12) -> None:
    found, expected = dist.full_state_dict(model), reference.state_dict()
    assert list(found) == list(expected)
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, rtol=rtol, atol=rtol / 10, err_msg=name)


@check(*WIDTHS)
def weights_are_those_of_the_serial_network(hidden: int) -> None:
    model, reference = parallel(hidden), serial(hidden)
    for name, value in dist.full_state_dict(model).items():
        np.testing.assert_array_equal(value, reference.state_dict()[name], err_msg=name)
    held = comm.all_gather(np.array([model[0].weight.size])).sum()
    assert held == hidden * PIXELS, "each weight is held once"


@check(*WIDTHS)
def forward_and_backward_are_those_of_the_serial_network(hidden: int) -> None:
    model, reference = parallel(hidden), serial(hidden)
    x, y = IMAGES.clone().requires_grad_(), IMAGES.clone().requires_grad_()
    z, expected = model(x), reference(y)
    np.testing.assert_allclose(z.detach(), expected.detach(), rtol=1e-13)
    F.cross_entropy(z, LABELS).backward()
    F.cross_entropy(expected, LABELS).backward()
    np.testing.assert_allclose(x.grad, y.grad, rtol=1e-12, atol=1e-15)
    start, stop = comm.bounds(hidden)[comm.rank]
    first, last = reference[0], reference[2]
    for found, whole in (
        (model[0].weight, first.weight.grad[start:stop]),
        (model[0].bias, first.bias.grad[start:stop]),
        (model[2].weight, last.weight.grad[:, start:stop]),
        (model[2].bias, last.bias.grad),
    ):
        np.testing.assert_allclose(found.grad, whole, rtol=1e-12, atol=1e-15)


@check(*((name, hidden) for name in OPTIMIZERS for hidden in WIDTHS))
def training_is_that_of_the_serial_network(case: tuple[str, int]) -> None:
    name, hidden = case
    model, reference = parallel(hidden), serial(hidden)
    for network in (model, reference):
        optimizer = OPTIMIZERS[name](network.parameters())
        for _ in range(10):
            optimizer.zero_grad()
            F.cross_entropy(network(IMAGES), LABELS).backward()
            optimizer.step()
    same_state(model, reference, rtol=1e-11)


@check(*WIDTHS)
def one_reduction_forward_and_no_message_backward(hidden: int) -> None:
    model = parallel(hidden)
    model(IMAGES).sum().backward()
    comm.stats.reset()
    loss = F.cross_entropy(model(IMAGES), LABELS)
    assert comm.stats["allreduce"].calls == 1
    forward = comm.stats.messages
    assert (forward > 0) == (comm.size > 1)
    loss.backward()
    assert comm.stats.messages == forward
    assert comm.stats["allreduce"].calls == 1


@check(*WIDTHS)
def layers_alone_take_and_give_whole_tensors(hidden: int) -> None:
    tgl.manual_seed(5)
    column = dist.ColumnParallelLinear(PIXELS, hidden, comm, gather_output=True, dtype="float64")
    row = dist.RowParallelLinear(hidden, CLASSES, comm, bias=False, input_is_parallel=False, dtype="float64")
    tgl.manual_seed(5)
    wide, narrow = nn.Linear(PIXELS, hidden, dtype="float64"), nn.Linear(hidden, CLASSES, bias=False, dtype="float64")
    x, y = IMAGES.clone().requires_grad_(), IMAGES.clone().requires_grad_()
    middle, expected = column(x), wide(y)
    np.testing.assert_allclose(middle.detach(), expected.detach(), rtol=1e-13)
    z, w = row(tgl.tanh(middle)), narrow(tgl.tanh(expected))
    np.testing.assert_allclose(z.detach(), w.detach(), rtol=1e-12)
    (z * z).sum().backward()
    (w * w).sum().backward()
    np.testing.assert_allclose(x.grad, y.grad, rtol=1e-12, atol=1e-15)
    start, stop = comm.bounds(hidden)[comm.rank]
    np.testing.assert_allclose(column.weight.grad, wide.weight.grad[start:stop], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(row.weight.grad, narrow.weight.grad[:, start:stop], rtol=1e-12, atol=1e-15)


@check()
def gradients_of_gradients_are_those_of_the_serial_network() -> None:
    model, reference = parallel(7), serial(7)
    found = []
    for network in (model, reference):
        x = IMAGES.clone().requires_grad_()
        slope = tgl.grad(F.cross_entropy(network(x), LABELS), x, create_graph=True)
        (slope * slope).sum().backward()
        found.append(x.grad)
    np.testing.assert_allclose(found[0], found[1], rtol=1e-11, atol=1e-16)
    start, stop = comm.bounds(7)[comm.rank]
    np.testing.assert_allclose(model[0].weight.grad, reference[0].weight.grad[start:stop], rtol=1e-10, atol=1e-15)


@check()
def states_go_to_the_serial_network_and_back() -> None:
    model, reference = parallel(7), serial(7)
    other = {name: value * 2 + 1 for name, value in reference.state_dict().items()}
    comm.stats.reset()
    dist.load_full_state_dict(model, other)
    assert comm.stats.messages == 0
    for name, value in dist.full_state_dict(model).items():
        np.testing.assert_array_equal(value, other[name])
    reference.load_state_dict(dist.full_state_dict(model))
    np.testing.assert_allclose(model(IMAGES).detach(), reference(IMAGES).detach(), rtol=1e-13)
    without = {name: value for name, value in other.items() if name != "0.bias"}
    assert dist.load_full_state_dict(model, without, strict=False).missing_keys == ["0.bias"]


@check()
def a_state_of_other_sizes_is_refused_before_anything_changes() -> None:
    model = parallel(7)
    before = dist.full_state_dict(model)
    text = (
        "load_full_state_dict needs 0.weight of the serial shape (7, 6)\n"
        "  0.weight  shape (8, 6), float64, cpu\n"
        "  hint      full_state_dict(model) has that layout, model.state_dict() only this rank's parts"
    )
    state = serial(8).state_dict()
    same_refusal(comm, StateError, lambda: dist.load_full_state_dict(model, state), text)
    for name, value in dist.full_state_dict(model).items():
        np.testing.assert_array_equal(value, before[name])


@check()
def ranks_that_draw_different_numbers_are_refused() -> None:
    for name in ("ColumnParallelLinear", "RowParallelLinear"):
        tgl.manual_seed(comm.rank)
        text = (
            f"{name} needs the same random numbers on all ranks, "
            "but rank 0 has seed 0 after 0 draws and rank 1 has seed 1 after 0 draws\n"
            "  hint  call tinygrad_lite.manual_seed with one seed on all ranks before the model is made"
        )
        layer = getattr(dist, name)
        if comm.size > 1:
            same_refusal(comm, ArgumentError, lambda layer=layer: layer(3, 2, comm), text)
        text = (
            f"{name} needs out_features of at least 1, but got 0\n"
            "  hint  out_features is the size of one axis of the data, such as x.shape[1]"
        )
        same_refusal(comm, ArgumentError, lambda layer=layer: layer(3, 0, comm), text)


@check()
def a_row_says_which_part_of_the_features_it_needs() -> None:
    tgl.manual_seed(0)
    layer = dist.RowParallelLinear(8, 3, comm)
    start, stop = comm.bounds(8)[comm.rank]
    held = f"rank {comm.rank} of {comm.size} has {stop - start} x 3"
    text = (
        "RowParallelLinear needs x.shape[-1] == {}, but got {}\n"
        "  x     shape (2, {}), float32, cpu\n"
        f"  in    rowparallellinear: RowParallelLinear(8 -> 3, {held})\n"
        "  hint  {}"
    )
    part = f"{stop - start}, this rank's part of in_features=8"
    if comm.size > 1:
        hint = "scatter_to(x, comm) makes it; RowParallelLinear(..., input_is_parallel=False) does so itself"
        same_refusal(comm, ShapeError, lambda: layer(tgl.ones((2, 8))), text.format(part, 8, 8, hint))
    hint = "in_features counts the features of all ranks together"
    same_refusal(comm, ShapeError, lambda: layer(tgl.ones((2, 9))), text.format(part, 9, 9, hint))
    whole = dist.RowParallelLinear(8, 3, comm, input_is_parallel=False)
    text = text.format("8, in_features", 7, 7, hint)  # 7 in parts fits some ranks, which must not go on alone
    same_refusal(comm, ShapeError, lambda: whole(tgl.ones((2, 7))), text)
    assert layer(dist.scatter_to(tgl.ones((2, 8)), comm)).shape == whole(tgl.ones((2, 8))).shape == (2, 3)


@check()
def mpi4py_communicators_are_refused() -> None:
    text = "{} needs a communicator as comm, but got Intracomm\n  hint  dist.init() makes one"
    other = MPI.COMM_WORLD
    same_refusal(comm, DTypeError, lambda: dist.Grid(other), text.format("Grid"))
    for name in ("ColumnParallelLinear", "RowParallelLinear"):
        layer = getattr(dist, name)
        same_refusal(comm, DTypeError, lambda layer=layer: layer(3, 2, other), text.format(name))


@check()
def a_copy_of_a_model_talks_to_the_same_ranks() -> None:
    model = parallel(7)
    copied = copy.deepcopy(model)
    assert copied[0].comm is comm
    assert copied[0].weight is not model[0].weight
    np.testing.assert_array_equal(copied(IMAGES).detach(), model(IMAGES).detach())


@check()
def a_layer_says_what_it_holds() -> None:
    model = parallel(7)
    start, stop = comm.bounds(7)[comm.rank]
    part = f"rank {comm.rank} of {comm.size} has"
    assert repr(model[0]) == f"ColumnParallelLinear(6 -> 7, {part} 6 x {stop - start})"
    assert repr(model[2]) == f"RowParallelLinear(7 -> 4, {part} {stop - start} x 4)"


@check()
def a_grid_has_rows_of_neighbours_and_columns() -> None:
    for columns in (n for n in range(1, comm.size + 1) if comm.size % n == 0):
        for grid in (dist.Grid(comm, model=columns), dist.Grid(comm, data=comm.size // columns)):
            assert grid.shape == (comm.size // columns, columns)
            assert (grid.data.rank, grid.model.rank) == divmod(comm.rank, columns)
            assert (grid.data.size, grid.model.size) == grid.shape
            row = grid.model.all_gather(np.array([comm.rank]))
            np.testing.assert_array_equal(row, grid.data.rank * columns + np.arange(columns))
            column = grid.data.all_gather(np.array([comm.rank]))
            np.testing.assert_array_equal(column, grid.model.rank + columns * np.arange(grid.shape[0]))
    assert repr(dist.Grid(comm)) == f"Grid({comm.size} x 1, row {comm.rank}, column 0)"


@check()
def a_grid_that_does_not_fit_is_refused() -> None:
    n = comm.size
    for sizes, asked in (
        ({"model": n + 1}, f"model={n + 1}"),
        ({"data": 2 * n, "model": n}, f"data={2 * n} and model={n}"),
        ({"data": 0}, "data=0"),
        ({"data": -n, "model": -1}, f"data={-n} and model=-1"),
    ):
        text = (
            f"Grid needs data * model == {n}, the number of ranks, but got {asked}\n"
            "  hint  their product is the number that mpirun -n gives; leave one of them out"
        )
        same_refusal(comm, ArgumentError, lambda sizes=sizes: dist.Grid(comm, **sizes), text)


class Masked(nn.Module):
    """Dropout with a given mask: what the ranks of a grid drew, put together."""

    mask: Tensor | float = 1.0

    def forward(self, x: Tensor) -> Tensor:
        return x * self.mask


def on_a_grid(grid: dist.Grid) -> tuple[nn.Sequential, list[np.ndarray[Any, Any]]]:
    """A network with split and with whole layers for the whole grid, and the list of the masks that it has drawn."""
    tgl.manual_seed(2)
    first = dist.ColumnParallelLinear(PIXELS, 7, grid.model, dtype="float64")
    last = dist.RowParallelLinear(7, 5, grid.model, dtype="float64")
    units = len(first.bias)  # of this rank
    split = dist.SyncBatchNorm(units, grid.data, dtype="float64")
    whole = dist.SyncBatchNorm(5, grid.data, dtype="float64")
    body = [first, nn.Sigmoid(), split, nn.Dropout(0.4), last, nn.Tanh(), whole, nn.Dropout(0.3)]
    model = nn.Sequential(*body, nn.Linear(5, CLASSES, dtype="float64"))
    masks: list[np.ndarray[Any, Any]] = []
    for place in (3, 7):
        model[place].register_forward_hook(lambda layer, given, y: masks.append((y / given[0]).detach().numpy()))
    return model, masks


def of_one_process() -> nn.Sequential:
    tgl.manual_seed(2)
    first, last = nn.Linear(PIXELS, 7, dtype="float64"), nn.Linear(7, 5, dtype="float64")
    split, whole = nn.BatchNorm1d(7, dtype="float64"), nn.BatchNorm1d(5, dtype="float64")
    body = [first, nn.Sigmoid(), split, Masked(), last, nn.Tanh(), whole, Masked()]
    return nn.Sequential(*body, nn.Linear(5, CLASSES, dtype="float64"))


#: of the parameters and buffers of that network, the axis along which a row of the grid splits them
SPLIT = {"0.weight": 0, "0.bias": 0, "4.weight": 1}
SPLIT |= {f"2.{name}": 0 for name in ("weight", "bias", "running_mean", "running_var")}


def same_part(name: str, found: Any, whole: Any, row: dist.Communicator) -> None:
    """This rank's part of a value, up to the rounding of a few steps on the scale of the largest element."""
    found, whole = (np.asarray(value.detach()) for value in (found, whole))
    if name in SPLIT:
        start, stop = row.bounds(7)[row.rank]
        whole = whole.take(range(start, stop), axis=SPLIT[name])
    np.testing.assert_allclose(found, whole, rtol=1e-13, atol=1e-13 * abs(whole).max(initial=0.0), err_msg=name)


@check(*(n for n in (1, 2, 3, 4) if comm.size % n == 0))
def data_and_model_parallelism_together_are_the_serial_training(rows: int) -> None:
    """Outputs, gradients, weights and running statistics, with dropout, on uneven parts of a batch: 5 and 4 images."""
    grid = dist.Grid(comm, data=rows)
    (model, masks), reference = on_a_grid(grid), of_one_process()
    attached = dist.DataParallel(model, grid.data, bucket_mb=2e-4)
    start, stop = grid.data.bounds(BATCH)[grid.data.rank]
    optimizers = [optim.SGD(network.parameters(), lr=0.3, momentum=0.9) for network in (model, reference)]
    for _ in range(5):
        for optimizer in optimizers:
            optimizer.zero_grad()
        masks.clear()
        z = model(IMAGES[start:stop])
        attached.backward(F.cross_entropy(z, LABELS[start:stop]), count=stop - start)
        units = grid.model.all_gather(np.ascontiguousarray(masks[0].T)).T
        reference[3].mask = Tensor(grid.data.all_gather(np.ascontiguousarray(units)))
        reference[7].mask = Tensor(grid.data.all_gather(masks[1]))
        expected = reference(IMAGES)
        F.cross_entropy(expected, LABELS).backward()
        same_part("outputs", z, expected[start:stop], grid.model)
        for (name, p), q in zip(model.named_parameters(), reference.parameters(), strict=True):
            same_part(name, p.grad, q.grad, grid.model)
        for optimizer in optimizers:
            optimizer.step()
        for (name, value), whole in zip(model.state_dict().items(), reference.state_dict().values(), strict=True):
            same_part(name, value, whole, grid.model)
    drawn = grid.data.all_gather(masks[0][:2].reshape(1, -1))
    assert len({mask.tobytes() for mask in drawn}) == rows, "each row of the grid drops other units"
    drawn = grid.model.all_gather(masks[1].reshape(1, -1))
    assert (drawn == drawn[0]).all(), "behind a whole layer all ranks of a row drop the same"
    attached.detach()


if __name__ == "__main__":
    run(comm)
