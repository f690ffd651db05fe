"""Hooks around forward and in the backward pass: when they run, what they see, what they can replace."""

from refusals import refuses

import tinygrad_lite as tgl
from tinygrad_lite import Tensor, errors, nn


def test_forward_hooks_run_in_order_and_can_replace():
    layer = nn.Identity()
    seen = []
    layer.register_forward_hook(lambda m, args, output: seen.append(("after", output.item())))
    layer.register_forward_pre_hook(lambda m, args: seen.append(("before", args[0].item())))
    double = layer.register_forward_pre_hook(lambda m, args: args[0] * 2)
    plus = layer.register_forward_hook(lambda m, args, output: output + 1)
    assert layer(Tensor(3.0)).item() == 7.0
    assert seen == [("before", 3.0), ("after", 6.0)]
    double.remove()
    plus.remove()
    plus.remove()
    assert layer(Tensor(3.0)).item() == 3.0


def test_an_error_in_a_hook_names_the_module():
    layer = nn.ReLU()
    layer.register_forward_pre_hook(lambda m, args: errors.fail(errors.DataError, "check", "needs less"))
    refuses(errors.DataError, lambda: layer(Tensor(1.0)), "check needs less\n  in  relu: ReLU()")


def test_a_backward_hook_sees_both_gradients_and_can_replace():
    layer = nn.Linear(2, 1, bias=False)
    with tgl.no_grad():
        layer.weight[...] = Tensor([[2.0, 3.0]])
    seen = []
    x = Tensor([[1.0, 1.0]], requires_grad=True)

    def hook(module, grad_input, grad_output):
        seen.append((module, grad_input[0].tolist(), grad_output[0].tolist()))
        return (grad_input[0] * 10,)

    handle = layer.register_full_backward_hook(hook)
    (layer(x) * 5 + x.sum()).sum().backward()  # x has another use, which the hook must not see
    assert seen == [(layer, [[10.0, 15.0]], [[5.0]])]
    assert x.grad.tolist() == [[101.0, 151.0]]
    handle.remove()
    x.grad = None
    layer(x).sum().backward()
    assert len(seen) == 1
    assert x.grad.tolist() == [[2.0, 3.0]]


def test_a_backward_hook_on_the_first_layer_gets_no_input_gradient():
    layer = nn.Linear(2, 1)
    seen = []
    layer.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go[0].tolist())))
    layer(tgl.ones((1, 2))).sum().backward()
    assert seen == [((None,), [[1.0]])]


def test_a_backward_hook_of_several_inputs_runs_once():
    class Product(nn.Module):
        def forward(self, x, y):
            return x * y

    product, seen = Product(), []
    product.register_full_backward_hook(lambda m, gi, go: seen.append([g.item() for g in (*gi, *go)]))
    x, y = Tensor(2.0, requires_grad=True), Tensor(3.0, requires_grad=True)
    z = product(x, y)
    z.backward(retain_graph=True)
    z.backward()
    assert seen == [[3.0, 2.0, 1.0]] * 2
    with tgl.no_grad():
        product(x, y)


def test_a_backward_hook_cannot_replace_several_gradients():
    class Product(nn.Module):
        def forward(self, x, y):
            return x * y

    product = Product()
    product.register_full_backward_hook(lambda m, gi, go: gi)
    x, y = Tensor(2.0, requires_grad=True), Tensor(3.0, requires_grad=True)
    text = (
        "full backward hook cannot replace grad_input unless exactly one argument requires a gradient\n"
        "  hint  return None, or use Tensor.register_hook"
    )
    refuses(errors.ArgumentError, lambda: product(x, y).backward(), text)


def test_a_backward_hook_of_several_outputs_runs_once():
    class Both(nn.Module):
        def forward(self, x):
            return x * 2, x * 3

    both, seen = Both(), []
    both.register_full_backward_hook(lambda m, gi, go: seen.append([g.item() for g in (*gi, *go)]))
    x = Tensor(1.0, requires_grad=True)
    first, second = both(x)
    (first + second * 10).backward()
    assert seen == [[32.0, 1.0, 10.0]]


def test_a_backward_hook_returns_one_gradient_per_argument():
    layer = nn.ReLU()
    layer.register_full_backward_hook(lambda m, gi, go: gi * 2)
    x = Tensor(2.0, requires_grad=True)
    text = "full backward hook needs to return None or a tuple of 1 like grad_input\n  returned  {}\n"
    text += "  hint      return tuple(changed gradients), with None where there is none"
    shown = "(Tensor(1.), Tensor(1.))"
    refuses(errors.ArgumentError, lambda: layer(x).backward(), text.format(shown))


def test_a_backward_hook_needs_tensors():
    class Odd(nn.Module):
        def forward(self, x):
            return {"x": 1}

    odd = Odd()
    odd.register_full_backward_hook(lambda m, gi, go: None)
    text = (
        "Odd with a full backward hook needs a forward that returns a tensor or a tuple of tensors\n"
        "  returned  {'x': 1}\n"
        "  in        odd: Odd()\n"
        "  hint      return the tensors alone, or hook them one by one: y.register_hook(...)"
    )
    refuses(errors.ArgumentError, lambda: odd(Tensor(1.0)), text)
