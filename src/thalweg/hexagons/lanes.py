"""Several numbers at once in compiled code: a lane for each band, by vector instructions.

Compilers find them for loops over many pixels, but runs of pixels in one cell are short, while the
bands of a raster lie side by side at every pixel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model

MOST_LANES = 8

_INDEX = ir.IntType(32)


def _compiled(function: Callable[..., Any]) -> Any:
    """An intrinsic: type checkers would have it called with numba's own context."""
    return intrinsic(function)


class Lanes(types.Type):
    """`count` numbers, int64 or float64."""

    def __init__(self, dtype: Any, count: int) -> None:
        self.dtype, self.count = dtype, count
        super().__init__(name=f"Lanes({dtype}, {count})")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, lanes: Lanes) -> None:
        number = manager.lookup(lanes.dtype).get_value_type()
        vector = ir.VectorType(number, lanes.count)
        super().__init__(manager, lanes, vector)  # type: ignore[no-untyped-call]


def lane_count(bands: int) -> int:
    """How many lanes are used for so many bands: 1, 2, 4 or 8."""
    return min(MOST_LANES, 1 << (bands - 1).bit_length())


def padded(bands: int) -> int:
    """How many numbers are kept for so many bands: whole lanes."""
    return -(-bands // lane_count(bands)) * lane_count(bands)


@_compiled
def spread(_: Any, number: Any, lanes: Any) -> Any:
    """The number in as many lanes as the tuple `lanes` is long."""
    count = len(lanes)

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        vector = ir.VectorType(args[0].type, count)
        undefined = ir.Constant(vector, ir.Undefined)
        first = builder.insert_element(undefined, args[0], ir.Constant(_INDEX, 0))
        everywhere = ir.Constant(ir.VectorType(_INDEX, count), [0] * count)
        return builder.shuffle_vector(first, undefined, everywhere)

    return Lanes(number, count)(number, lanes), generate


@_compiled
def load(_: Any, array: Any, first: Any, like: Any) -> Any:
    """Lanes from `array`, which is one-dimensional, from `first`, of the type of `like`."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1], like.count)
        value = builder.load(pointer)
        value.align = array.dtype.bitwidth // 8
        return _converted(builder, value, array.dtype, like.dtype)

    return like(array, first, like), generate


@_compiled
def store(_: Any, array: Any, first: Any, lanes: Any) -> Any:
    """Writes lanes to `array`, which is one-dimensional, from `first`, in its own type."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, builder, signature.args[0], args[0], args[1], lanes.count)
        stored = builder.store(_converted(builder, args[2], lanes.dtype, array.dtype), pointer)
        stored.align = array.dtype.bitwidth // 8
        return context.get_dummy_value()

    return types.void(array, first, lanes), generate


@_compiled
def plus(_: Any, one: Any, other: Any) -> Any:
    return one(one, other), _operation("add", "fadd", one)


@_compiled
def times(_: Any, one: Any, other: Any) -> Any:
    return one(one, other), _operation("mul", "fmul", one)


@_compiled
def lesser(_: Any, one: Any, other: Any) -> Any:
    return one(one, other), _chosen("<", one)


@_compiled
def greater(_: Any, one: Any, other: Any) -> Any:
    return one(one, other), _chosen(">", one)


@_compiled
def above(_: Any, one: Any, other: Any) -> Any:
    """1 in each lane where one is more than the other, else 0."""
    return Lanes(types.int64, one.count)(one, other), _counted(">", one)


@_compiled
def differs(_: Any, one: Any, other: Any) -> Any:
    """1 in each lane where the two differ, else 0."""
    return Lanes(types.int64, one.count)(one, other), _counted("!=", one)


@_compiled
def where_zero(_: Any, lanes: Any, instead: Any) -> Any:
    """The lanes, but `instead` where they are 0."""

    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        zero = ir.Constant(args[0].type, None)
        return builder.select(_compare(builder, "==", lanes, args[0], zero), args[1], args[0])

    return lanes(lanes, instead), generate


def _pointer(
    context: Any, builder: Any, kind: Any, array: Any, first: Any, count: int
) -> ir.Instruction:
    data = context.make_array(kind)(context, builder, array).data
    vector = ir.VectorType(data.type.pointee, count)
    return builder.bitcast(builder.gep(data, [first]), vector.as_pointer())


def _converted(builder: Any, value: Any, held: Any, wanted: Any) -> Any:
    """As numbers of the type that is wanted; whole ones lose what does not fit."""
    if held == wanted:
        return value
    number = ir.DoubleType() if isinstance(wanted, types.Float) else ir.IntType(wanted.bitwidth)
    vector = ir.VectorType(number, value.type.count)
    if isinstance(held, types.Float):
        return builder.fpext(value, vector)
    if isinstance(wanted, types.Float):
        return (builder.sitofp if held.signed else builder.uitofp)(value, vector)
    if wanted.bitwidth < held.bitwidth:
        return builder.trunc(value, vector)
    return (builder.sext if held.signed else builder.zext)(value, vector)


def _operation(whole: str, real: str, lanes: Lanes) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return getattr(builder, real if isinstance(lanes.dtype, types.Float) else whole)(*args)

    return generate


def _chosen(how: str, lanes: Lanes) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        return builder.select(_compare(builder, how, lanes, *args), *args)

    return generate


def _counted(how: str, lanes: Lanes) -> Any:
    def generate(_context: Any, builder: Any, _signature: Any, args: Any) -> Any:
        counts = ir.VectorType(ir.IntType(64), lanes.count)
        return builder.zext(_compare(builder, how, lanes, *args), counts)

    return generate


def _compare(builder: Any, how: str, lanes: Lanes, one: Any, other: Any) -> Any:
    if isinstance(lanes.dtype, types.Float):
        return builder.fcmp_ordered(how, one, other)
    return builder.icmp_signed(how, one, other)
