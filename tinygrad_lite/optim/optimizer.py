"""What all optimisers share: parameter groups, state, and the flat runs that an update works on.

Parameters live end to end in arenas (``autograd/arena.py``), the state of an optimiser in arrays of the same
layout. A step is one in-place update per *run*: parameters of one group that lie side by side, have a gradient
and were stepped equally often. Usually that is one run for the whole model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from operator import is_
from typing import Any, ClassVar

import numpy as np

from tinygrad_lite.autograd.arena import Arena, arenas_of, spans
from tinygrad_lite.autograd.graph import Array, Leaf, Tensor, enable_grad, make_tensor, mode
from tinygrad_lite.autograd.leaves import adopt_grad, claim_buffer, leaf_of, release_grad
from tinygrad_lite.autograd.rows import namespaces
from tinygrad_lite.backends.devices import device_of, to_device
from tinygrad_lite.errors import ArgumentError, DTypeError, ShapeError, fail
from tinygrad_lite.functions.arguments import CheckedConstructor
from tinygrad_lite.optim.runs import Record, Run
from tinygrad_lite.optim.settings import ANYTHING, Limit, check_parameter, checked, listed, refuse_repeated
from tinygrad_lite.optim.state import parse


class Optimizer(CheckedConstructor):
    """The base of all optimisers. A subclass says in ``limits`` what its settings may be, and writes ``update``.

    Args:
        params: the parameters, or groups of them: dictionaries with ``"params"`` and the settings in which
            the group differs from ``defaults``.
        defaults: the settings by name.

    Attributes:
        param_groups: one dictionary per group: ``"params"`` and its settings, which may be changed between
            steps. Parameters are only added by ``add_param_group``, and unknown keys are refused.

    Raises:
        ArgumentError: there are no parameters, one occurs twice, or a setting is out of range.
        DTypeError: something given is not a tensor.
        GradientError: a tensor is not a leaf that requires a gradient.

    >>> import tinygrad_lite as tgl
    >>> from tinygrad_lite.optim.settings import NON_NEGATIVE
    >>> class SignDescent(Optimizer):
    ...     limits = {"lr": NON_NEGATIVE}
    ...
    ...     def update(self, run):
    ...         run.values -= run.group["lr"] * np.sign(run.grads)
    >>> x = tgl.Tensor([3.0, -4.0], requires_grad=True)
    >>> optimizer = SignDescent([x], {"lr": 0.5})
    >>> (x * x).sum().backward()
    >>> optimizer.step()
    >>> x
    Tensor([ 2.5, -3.5], requires_grad=True)
    """

    limits: ClassVar[Mapping[str, Limit]] = {}  #: what each setting may be; anything if not named
    arrays: ClassVar[tuple[str, ...]] = ()  #: all state arrays that there may be
    required: ClassVar[tuple[str, ...]] = ()  #: those that every parameter has after its first step
    counts_steps: ClassVar[bool] = True  #: whether ``step`` is part of the state

    def __init__(self, params: Iterable[Any], defaults: Mapping[str, Any]) -> None:
        name = type(self).__name__
        self.settings = {**dict.fromkeys(defaults, ANYTHING), **self.limits}
        self.defaults = checked(name, self.settings, defaults)
        self.check(name, self.defaults)
        self.param_groups: list[dict[str, Any]] = []
        self._records: list[list[Record]] = []  # per group
        self._checked: list[dict[str, Any]] = []  # each group as it was when last checked
        self._flat: dict[Arena, dict[str, Array]] = {}  # state arrays in the layout of an arena
        self._runs: list[Run] = []
        self._watched: list[Any] = []  # per parameter what the runs depend on
        groups = listed(name, "params", params)
        if groups and isinstance(groups[0], dict):
            for i, group in enumerate(groups):
                if not isinstance(group, dict):
                    hint = 'put the others into a group of their own: {"params": [...]}'
                    fail(DTypeError, name, f"needs groups throughout, but params[{i}] is no dictionary", hint=hint)
        else:
            groups = [{"params": groups}]
        groups = [self._prepared(name, group, i) for i, group in enumerate(groups)]
        tensors = [tensor for group in groups for tensor in group["params"]]
        if not tensors:
            hint = "an iterator such as model.parameters() gives its tensors only once: was it used before?"
            fail(ArgumentError, name, "needs at least one parameter, but got none", hint=hint)
        refuse_repeated(name, tensors)
        arenas_of(tensors)
        for group in groups:
            self._attach(group)

    def update(self, run: Run) -> None:
        """Change ``run.values`` in place, by ``run.grads``, ``run.group`` and ``run.state(name)``."""
        raise NotImplementedError

    def begin(self, run: Run) -> None:
        """Prepare the state of parameters that have just been added."""

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient; the others, and their step counts, stay as they are.

        A frozen parameter (``requires_grad=False``) is skipped even if a gradient is left from before; PyTorch
        would update it.

        Args:
            closure: computes the loss anew and runs backward, before the update.

        Returns:
            What ``closure`` returned, or None.

        Raises:
            ArgumentError: a setting in ``param_groups`` is out of range, missing or unknown, or the parameters
                in it were changed; nothing was changed then.
        """
        loss = None
        if closure is not None:
            if not callable(closure):
                hint = "loss.backward() leaves the gradients where step() finds them: call step() without arguments"
                name = f"{type(self).__name__}.step"
                fail(DTypeError, name, "needs a function as closure, or nothing", {"closure": closure}, hint)
            with enable_grad():
                loss = closure()
        self._refuse_changed_params("step")
        for i, group in enumerate(self.param_groups):
            if group != self._checked[i]:
                self._check_group(f"{type(self).__name__}.step", i)
        if self._is_stale():
            self._gather()
        with np.errstate(all="ignore"):
            for run in self._runs:
                for tensor in run.tensors:
                    tensor._version.raise_count()  # type: ignore[union-attr]
                names = run.names
                run.step += 1
                try:
                    if mode.capture is not None:
                        mode.capture.updating(self, run)
                    self.update(run)
                except BaseException:
                    run.take_back(names)
                    raise
        return loss

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients.

        Args:
            set_to_none: leave None, or else write zeros (which then count as gradients).
        """
        for records in self._records:
            for record in records:
                leaf = leaf_of(record.tensor)
                if leaf is None or leaf.grad is None:
                    continue
                if set_to_none:
                    release_grad(leaf)
                elif leaf.grad._data is leaf.buffer:
                    claim_buffer(leaf).fill(0)
                else:
                    zeros = namespaces[type(leaf.grad._data)].zeros(leaf.shape, leaf.dtype)
                    adopt_grad(leaf, make_tensor(zeros))

    def add_param_group(self, group: Mapping[str, Any]) -> None:
        """Add parameters with settings of their own.

        Args:
            group: ``"params"`` and the settings that differ from the defaults.

        Raises:
            ArgumentError, DTypeError, GradientError: as for the constructor.
        """
        name = f"{type(self).__name__}.add_param_group"
        if not isinstance(group, Mapping):
            fail(DTypeError, name, "needs a dictionary", {"group": group}, 'pass {"params": [...]}')
        prepared = self._prepared(name, group, len(self.param_groups))
        known = [record.tensor for records in self._records for record in records]
        refuse_repeated(name, known + prepared["params"])
        arenas_of(prepared["params"])
        self._attach(prepared)

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for i, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {i}")
            lines += [f"    {key}: {group[key]}" for key in sorted(group) if key != "params"]
        return "\n".join([*lines, ")"])

    # --- state ------------------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The whole state of the optimiser in PyTorch's layout; arrays are copies.

        Returns:
            ``{"state": {index: {"step": n, name: Tensor, ...}}, "param_groups": [{..., "params": [indices]}]}``.
            Parameters are numbered through all groups; one that has no state yet has no entry.

        Raises:
            ArgumentError: the parameters in ``param_groups`` were changed.
        """
        self._refuse_changed_params("state_dict")
        self._settle()
        state: dict[int, dict[str, Any]] = {}
        groups: list[dict[str, Any]] = []
        index = 0
        for group, records in zip(self.param_groups, self._records, strict=True):
            indices = range(index, index + len(records))
            index += len(records)
            groups.append({**{key: group[key] for key in group if key != "params"}, "params": list(indices)})
            for i, record in zip(indices, records, strict=True):
                entry = self._entry(record)
                if entry:
                    state[i] = entry
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Restore what ``state_dict`` returned, or PyTorch's optimiser of the same name.

        Args:
            state_dict: its groups must have as many parameters, in the same order, as those of this optimiser.

        Raises:
            StateError: it does not fit; nothing was changed then.
            ArgumentError: a setting in it is out of range, or the parameters in ``param_groups`` were changed;
                nothing was changed then.
        """
        self._refuse_changed_params("load_state_dict")
        groups, entries = parse(self, f"{type(self).__name__}.load_state_dict", state_dict)
        self._settle()
        self._place()
        flat = [record for records in self._records for record in records]
        for record, (step, arrays) in zip(flat, entries, strict=True):
            record.step, record.names = step, tuple(arrays)
            arena, start, stop = record.slot
            for array in self._flat.get(arena, {}).values():
                array[start:stop] = 0
            for name, array in arrays.items():
                self._flat_array(arena, name)[start:stop] = array.reshape(-1)
        for i, group in enumerate(groups):
            kept = self.param_groups[i]
            params = kept["params"]
            kept.clear()
            kept.update(params=params, **group)
            self._checked[i] = _snapshot(kept)
            self._begin_all(kept, [record for record in self._records[i] if not record.names])
        self._forget()

    @property
    def state(self) -> dict[Tensor, dict[str, Any]]:
        """The state by parameter, as copies: ``optimizer.state[p]["exp_avg"]``."""
        self._settle()
        entries = ((r.tensor, self._entry(r)) for records in self._records for r in records)
        return {tensor: entry for tensor, entry in entries if entry}

    def _entry(self, record: Record) -> dict[str, Any]:
        entry: dict[str, Any] = {}
        if self.counts_steps and (record.step or record.names):
            entry["step"] = record.step
        arena, start, stop = record.slot
        for name in record.names:
            array = self._flat[arena][name][start:stop]
            entry[name] = make_tensor(array.reshape(record.tensor._data.shape).copy())
        return entry

    # --- groups -----------------------------------------------------------------------------------------

    def _prepared(self, operation: str, group: Mapping[str, Any], index: int) -> dict[str, Any]:
        """A checked copy of a group, complete with the defaults."""
        where = f"param_groups[{index}]"
        if "params" not in group:
            hint = 'a group is a dictionary like {"params": layer.parameters(), "lr": 0.01}'
            fail(ArgumentError, operation, f"needs 'params' in {where}", {"group": dict(group)}, hint)
        params = group["params"]
        tensors = [params] if isinstance(params, Tensor) else listed(operation, f"{where}['params']", params)
        for i, tensor in enumerate(tensors):
            check_parameter(operation, f"{where}['params'][{i}]", tensor)
        merged = {**self.defaults, **group, "params": tensors}
        prepared = checked(operation, self.settings, merged, where + "[{!r}]")
        self.check(operation, prepared)
        return prepared

    def _check_group(self, operation: str, index: int) -> None:
        """Check a group that the user has changed."""
        group = self.param_groups[index]
        for setting in self.defaults:
            if setting not in group:
                hint = f"the default is {self.defaults[setting]}"
                need = f"needs {setting!r}, but param_groups[{index}] does not have it"
                fail(ArgumentError, operation, need, hint=hint)
        converted = checked(operation, self.settings, group, f"param_groups[{index}][{{!r}}]")
        self.check(operation, converted)
        group.update(converted)
        self._checked[index] = _snapshot(group)

    def _refuse_changed_params(self, method: str) -> None:
        """Refuse groups, or parameters in them, that did not come through ``add_param_group``."""
        same = len(self.param_groups) == len(self._checked)
        for group, known in zip(self.param_groups, self._checked, strict=False):
            given, own = group.get("params"), known["params"]
            # Compared by identity: ``==`` of tensors is elementwise.
            same = same and type(given) is list and len(given) == len(own) and all(map(is_, given, own))
        if not same:
            need = "needs the parameters that it was given, but those in param_groups were changed"
            hint = "use add_param_group, or make a new optimiser"
            fail(ArgumentError, f"{type(self).__name__}.{method}", need, hint=hint)

    def check(self, operation: str, settings: Mapping[str, Any]) -> None:
        """Refuse settings that are fine one by one, but not together."""

    def _attach(self, group: dict[str, Any]) -> None:
        """Make a prepared group, whose parameters have their slots, part of the optimiser."""
        self._settle()
        records = [Record(tensor) for tensor in group["params"]]
        for record in records:
            record.slot = record.tensor._node.slot  # type: ignore[union-attr]
        self.param_groups.append(group)
        self._checked.append(_snapshot(group))
        self._records.append(records)
        self._begin_all(group, records)
        self._forget()

    def _begin_all(self, group: dict[str, Any], records: list[Record]) -> None:
        for record in records:
            arena, start, stop = record.slot
            run = Run(group, arena, slice(start, stop), self._flat.setdefault(arena, {}), [record])
            self.begin(run)
            record.names = run.names

    # --- runs -------------------------------------------------------------------------------------------

    def _is_stale(self) -> bool:
        """Whether a parameter lost or got a gradient, or was moved, since the runs were gathered."""
        for tensor, node, leaf, data, buffer in self._watched:
            if tensor._node is not node or tensor._data is not data:
                return True
            if leaf is not None:
                grad = leaf.grad
                if grad is None:
                    if buffer is not None:
                        return True
                elif grad._data is not buffer:
                    return True
        return not self._watched

    def updates(self, run: Run, settings: Mapping[str, Any]) -> bool:
        """Whether a step now would update ``run`` as one did when its group had these settings, but for ``lr``."""
        own = {key: value for key, value in run.group.items() if key not in ("params", "lr")}
        return not self._is_stale() and own == settings and any(run is other for other in self._runs)

    def _gather(self) -> None:
        """Find the runs anew, and note in ``_watched`` what they depend on."""
        self._settle()
        self._place()
        runs: list[Run] = []
        watched: list[Any] = []
        for group, records in zip(self.param_groups, self._records, strict=True):
            alike: dict[Any, dict[Leaf, Record]] = {}
            for record in records:
                tensor, node = record.tensor, record.tensor._node
                leaf = node if type(node) is Leaf else None
                grad = None if leaf is None else leaf.grad
                if leaf is not None and grad is not None:
                    if grad._data is not leaf.buffer:  # recorded by create_graph: the update takes a copy
                        claim_buffer(leaf)[...] = grad._data
                    key = (record.step if self.counts_steps else 0, record.names)
                    alike.setdefault(key, {})[leaf] = record
                held = leaf.buffer if leaf is not None and grad is not None else None
                watched.append((tensor, node, leaf, tensor._data, held))
            for members in alike.values():
                for arena, start, stop, leaves in spans(members):
                    joined = [members[leaf] for leaf in leaves]
                    flat = self._flat.setdefault(arena, {})
                    runs.append(Run(group, arena, slice(start, stop), flat, joined))
        self._runs, self._watched = runs, watched

    def _settle(self) -> None:
        """Write what the runs counted back to the records."""
        for run in self._runs:
            for record in run.records:
                record.step, record.names = run.step, run.names

    def _forget(self) -> None:
        """Let the next step gather its runs anew."""
        self._runs, self._watched = [], []

    def _place(self) -> None:
        """Give new slots to parameters whose array was replaced, and let their state follow."""
        records = [r for rows in self._records for r in rows if type(r.tensor._node) is Leaf]
        for record in records:
            _, start, stop = record.slot
            if record.names and stop - start != record.tensor._data.size:
                hint = "make a new optimiser for the new parameters"
                need = f"has state for {stop - start} elements of a parameter that now has another size"
                fail(ShapeError, f"{type(self).__name__}.step", need, {"parameter": record.tensor}, hint)
        arenas_of([record.tensor for record in records])
        for record in records:
            old, new = record.slot, record.tensor._node.slot  # type: ignore[union-attr]
            if new is not old:
                for name in record.names:
                    moved = self._flat[old[0]][name][old[1] : old[2]]
                    there = to_device(moved, device_of(record.tensor._data))
                    self._flat_array(new[0], name)[new[1] : new[2]] = there  # type: ignore[index]
                record.slot = new
        used = {record.slot[0] for rows in self._records for record in rows}
        self._flat = {arena: arrays for arena, arrays in self._flat.items() if arena in used}

    def _flat_array(self, arena: Arena, name: str) -> Array:
        arrays = self._flat.setdefault(arena, {})
        if name not in arrays:
            arrays[name] = arena.zeros()
        return arrays[name]

    def __getstate__(self) -> dict[str, Any]:
        """What a deep copy starts from: all but the runs, which would hold on to the original's arrays."""
        self._settle()
        return {**self.__dict__, "_runs": [], "_watched": []}


def _snapshot(group: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of a group that does not follow changes of its list of parameters."""
    return {**group, "params": list(group["params"])}
