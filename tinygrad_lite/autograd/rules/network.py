"""Operations of neural networks that are worth one row: fewer passes, fewer saved arrays, better rounding."""

from __future__ import annotations

from typing import Any

from tinygrad_lite.autograd.rows import Joint, Rule, diagonal, row

# --- softmax ----------------------------------------------------------------------------------------


def _softmax(xp, x, axis):
    e = xp.exp(x - xp.max(x, (axis,), True))
    return e / xp.sum(e, (axis,), True)


def _softmax_rule(xp, g, ans, axis):
    # The Jacobian diag(y) - y y^T is symmetric: one rule for both modes.
    return ans * (g - xp.sum(g * ans, (axis,), True))


def _log_softmax(xp, x, axis):
    shifted = x - xp.max(x, (axis,), True)
    return shifted - xp.log(xp.sum(xp.exp(shifted), (axis,), True))


SOFTMAX = row("softmax", "x | axis", _softmax, x=Rule(_softmax_rule, _softmax_rule))
LOG_SOFTMAX = row(
    "log_softmax",
    "x | axis",
    _log_softmax,
    x=Rule(
        lambda xp, g, ans, axis: g - xp.exp(ans) * xp.sum(g, (axis,), True),
        lambda xp, dx, ans, axis: dx - xp.sum(dx * xp.exp(ans), (axis,), True),
    ),
)


def _classes(xp, target, ignored):
    """The class numbers, 0 where one is the ignored number; and where they count, or None for everywhere."""
    if ignored is None:
        return target, None
    counts = xp.not_equal(target, ignored)
    return xp.where(counts, target, 0), counts


def _counted(xp, losses, counts, reduction):
    """0 for the samples that do not count; the sum, or the mean over those that do."""
    if counts is not None:
        losses = xp.where(counts, losses, 0.0)
    if reduction == "none":
        return losses
    if counts is None or reduction == "sum":
        return xp.mean(losses, (0,), False) if reduction == "mean" else xp.sum(losses, (0,), False)
    return xp.sum(losses, (0,), False) / xp.sum(xp.astype(counts, losses.dtype), (0,), False)


def _cross_entropy(xp, logits, target, reduction, ignored):
    # log(sum(exp)) - logit of the class, with the largest logit taken out of both first: subtracting the
    # finished logsumexp of large logits would lose their small gap to rounding.
    shifted = logits - xp.max(logits, (1,), True)
    lse = xp.log(xp.sum(xp.exp(shifted), (1,), False))
    classes, counts = _classes(xp, target, ignored)
    losses = lse - xp.take_along_axis(shifted, xp.expand_dims(classes, (1,)), 1)[:, 0]
    return _counted(xp, losses, counts, reduction)


def _off_target(xp, logits, target):
    """softmax(logits) - one_hot(target)"""
    p = _softmax(xp, logits, 1)
    ones = xp.zeros_like(logits, shape=(logits.shape[0], 1)) + 1.0
    return p - xp.add_along_axis(ones, xp.expand_dims(target, (1,)), logits.shape, 1)


def _cross_entropy_vjp(xp, g, logits, target, reduction, ignored):
    classes, counts = _classes(xp, target, ignored)
    if reduction == "none":
        g = xp.expand_dims(g, (1,))
    elif reduction == "mean":
        g = g / (logits.shape[0] if counts is None else xp.sum(xp.astype(counts, g.dtype), (0,), False))
    if counts is not None:
        g = xp.where(xp.expand_dims(counts, (1,)), g, 0.0)  # and 0 times NaN is NaN, as in PyTorch
    return g * _off_target(xp, logits, classes)


def _cross_entropy_jvp(xp, dx, logits, target, reduction, ignored):
    classes, counts = _classes(xp, target, ignored)
    return _counted(xp, xp.sum(dx * _off_target(xp, logits, classes), (1,), False), counts, reduction)


# -log softmax(logits)[target], of each sample or reduced; logits (N, C), target (N,) class numbers. Samples of the
# class ``ignored``, if it is not None, cost nothing and do not count in the mean.
SOFTMAX_CROSS_ENTROPY = row(
    "softmax_cross_entropy",
    "logits target | reduction ignored",
    _cross_entropy,
    logits=Rule(_cross_entropy_vjp, _cross_entropy_jvp),
)

# --- binary cross-entropy -------------------------------------------------------------------------------

# PyTorch's bounds. A certain and wrong prediction costs 100 instead of infinity, and the slope (p - t) / (p (1 - p))
# does not divide by less than 1e-12, rounded to float32 there.
_LEAST_LOG = -100.0
_LEAST_VARIANCE = 9.999999960041972e-13


def _bounded_log(xp, log, zero, x, one):
    """max(log(x), -100); ``zero`` says where x has no logarithm, and ``one`` is a number that has."""
    return xp.where(zero, _LEAST_LOG, xp.maximum(log(xp.where(zero, one, x)), _LEAST_LOG))


def _binary_cross_entropy(xp, p, target):
    right = _bounded_log(xp, xp.log, p == 0, p, 1.0)
    wrong = _bounded_log(xp, xp.log1p, p == 1, -p, 0.0)
    return (target - 1) * wrong - target * right


BINARY_CROSS_ENTROPY = row(
    "binary_cross_entropy",
    "p target",
    _binary_cross_entropy,
    p=diagonal(lambda xp, g, p, target: g * ((p - target) / xp.maximum(p * (1 - p), _LEAST_VARIANCE))),
    target=diagonal(lambda xp, g, p: g * (xp.log1p(-p) - xp.log(p))),
)

# --- linear -----------------------------------------------------------------------------------------

_FORWARD: dict[str | None, Any] = {
    None: lambda xp, z: z,
    "relu": lambda xp, z: xp.maximum(z, 0.0),
    "tanh": lambda xp, z: xp.tanh(z),
    "sigmoid": lambda xp, z: xp.sigmoid(z),
}
# The slope of each activation from its own output: nothing else has to be kept.
_SLOPE: dict[str | None, Any] = {
    None: lambda xp, g, a: g,
    "relu": lambda xp, g, a: xp.where(a <= 0, 0.0, g),
    "tanh": lambda xp, g, a: g * (1 - a * a),
    "sigmoid": lambda xp, g, a: g * (a * (1 - a)),
}


def _linear(xp, x, weight, bias, activation):
    z = xp.matmul(x, xp.matrix_transpose(weight))
    return _FORWARD[activation](xp, z if bias is None else z + bias)


def _flat(xp, x):
    """All axes but the last as one: (..., n) becomes (rows, n)."""
    if len(x.shape) == 2:
        return x
    rows = 1
    for n in x.shape[:-1]:
        rows *= n
    return xp.reshape(x, (rows, x.shape[-1]))


def _linear_vjp(xp, g, needs, x, weight, ans, activation):
    g = _SLOPE[activation](xp, g, ans)
    rows = _flat(xp, g)
    return (
        xp.matmul(g, weight) if needs[0] else None,
        xp.matmul(xp.matrix_transpose(rows), _flat(xp, x)) if needs[1] else None,
        xp.sum(rows, (0,), False) if needs[2] else None,
    )


def _linear_jvp(xp, tangents, x, weight, ans, activation):
    dx, dw, db = tangents
    dz = None
    if dx is not None:
        dz = xp.matmul(dx, xp.matrix_transpose(weight))
    if dw is not None:
        term = xp.matmul(x, xp.matrix_transpose(dw))
        dz = term if dz is None else dz + term
    if db is not None:
        dz = db if dz is None else dz + db
    return _SLOPE[activation](xp, dz, ans)


# y = activation(x W^T + b); weight is (out, in) and bias (out,) or left out.
LINEAR = row("linear", "x weight bias | activation", _linear, joint=Joint(_linear_vjp, _linear_jvp))

# --- normalisation ----------------------------------------------------------------------------------


def _column(xp, v, ndim):
    """A vector of channels as (1, C, 1, ...): broadcasts along axis 1."""
    return xp.reshape(v, (1, -1) + (1,) * (ndim - 2)) if v.shape[0] else xp.reshape(v, (1, 0) + (1,) * (ndim - 2))


def _batch_axes(ndim):
    return (0, *range(2, ndim))


def _batch_norm(xp, x, weight, bias, eps):
    # H' = (H - mu) / sqrt(delta + mean((H - mu)^2)): the lecture's formula, delta inside the root.
    ndim, axes = len(x.shape), _batch_axes(len(x.shape))
    mean = xp.mean(x, axes, False)
    centred = x - _column(xp, mean, ndim)
    rstd = 1 / xp.sqrt(xp.mean(centred * centred, axes, False) + eps)
    y = centred * _column(xp, rstd, ndim)
    if weight is not None:
        y = y * _column(xp, weight, ndim)
    if bias is not None:
        y = y + _column(xp, bias, ndim)
    return y, mean, rstd


def _batch_norm_vjp(xp, g, needs, x, weight, mean, rstd):
    ndim, axes = len(x.shape), _batch_axes(len(x.shape))
    gy, gmean, grstd = g
    normal = (x - _column(xp, mean, ndim)) * _column(xp, rstd, ndim)
    gx = gw = gb = None
    if gy is not None:
        gw = xp.sum(gy * normal, axes, False) if needs[1] else None
        gb = xp.sum(gy, axes, False) if needs[2] else None
    if needs[0]:
        count = 1
        for axis in axes:
            count *= x.shape[axis]
        if gy is not None:
            gn = gy if weight is None else gy * _column(xp, weight, ndim)
            through = xp.mean(gn * normal, axes, False)
            gx = _column(xp, rstd, ndim) * (
                gn - _column(xp, xp.mean(gn, axes, False), ndim) - normal * _column(xp, through, ndim)
            )
        if gmean is not None:
            share = xp.broadcast_to(_column(xp, gmean / count, ndim), x.shape)
            gx = share if gx is None else gx + share
        if grstd is not None:  # d rstd / dx = -rstd^2 normal / count
            share = normal * _column(xp, -grstd * rstd * rstd / count, ndim)
            gx = share if gx is None else gx + share
    return gx, gw, gb


def _batch_norm_jvp(xp, tangents, x, weight, mean, rstd):
    ndim, axes = len(x.shape), _batch_axes(len(x.shape))
    dx, dw, db = tangents
    normal = (x - _column(xp, mean, ndim)) * _column(xp, rstd, ndim)
    dy = dmean = drstd = None
    if dx is not None:
        dmean = xp.mean(dx, axes, False)
        through = xp.mean(dx * normal, axes, False)
        drstd = -rstd * rstd * through
        dy = _column(xp, rstd, ndim) * (dx - _column(xp, dmean, ndim) - normal * _column(xp, through, ndim))
        if weight is not None:
            dy = dy * _column(xp, weight, ndim)
    if dw is not None:
        term = normal * _column(xp, dw, ndim)
        dy = term if dy is None else dy + term
    if db is not None:
        term = xp.broadcast_to(_column(xp, db, ndim), x.shape)
        dy = term if dy is None else dy + term
    return dy, dmean, drstd


# Normalises each channel (axis 1) over the batch; mean and 1/sigma come out for the running statistics.
BATCH_NORM = row(
    "batch_norm",
    "x weight bias | eps -> ans mean rstd",
    _batch_norm,
    joint=Joint(_batch_norm_vjp, _batch_norm_jvp),
)

# --- dropout ------------------------------------------------------------------------------------------


def _dropout(xp, x, keep, seed, counter):
    mask = xp.keep_mask(seed, counter, x.shape, keep)
    return _kept(xp, x, mask, keep), mask


def _kept(xp, x, mask, keep):
    # The mask selects rather than multiplies, so that a dropped inf or NaN is gone.
    return xp.where(mask, x * (1 / keep), 0.0) if keep else xp.zeros_like(x)


# Keeps each element with probability ``keep`` and scales it by 1/keep, so that the expectation stays.
DROPOUT = row(
    "dropout",
    "x | keep seed counter -> ans mask",
    _dropout,
    x=Rule(
        lambda xp, g, mask, keep: _kept(xp, g[0], mask, keep),
        lambda xp, dx, mask, keep: (_kept(xp, dx, mask, keep), None),
    ),
)
