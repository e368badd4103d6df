"""The compiled part of the index: from places on the sphere to slots of hexagons.

A slot is a number for one hexagon of one face's plane: `box[4] + (q - box[0]) * box[3] + r -
box[1]`, where `boxes` hold (first q, first r, number of q, number of r, first slot) for each face.

`FLAGGED` marks a place whose hexagon is not certain: one that lies within `reach` radians, or
within what floating point (H3's own as well) leaves open, of an edge between hexagons or faces.
"""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

FLAGGED = -1
STRETCH = 512
# Adding and taking away 1.5 * 2**52 rounds, in vector instructions.
WHOLE = 6755399441055744.0

# H3 takes the angle from a face's centre by an arc cosine, which loses digits near the centre.
ROUNDING = 4e-15
_ROUNDING_AT_CENTRE = 1e-15
# The measure `closeness` changes by at most 2 a hexagon's spacing, of which there are 1 / cosine**2
# times as many to the radian as at a face's centre.
CLOSENESS_A_SPACING = 2.05
# An axial coordinate changes by at most 2 / sqrt(3) a spacing.
_SHEARED = 1.9
# A place nearer than this to a face's centre (20.9 degrees) lies on that face.
_COSINE_OF_INRADIUS = 0.9343


@numba.njit(nogil=True, cache=True, error_model="numpy", inline="always")
def limit_of(cosine: float, span: float, scale: float, reach: float) -> float:
    """The closeness beyond which a place is uncertain.

    `cosine` is that of the angle between a face's centre and a place at most `span` away.
    """
    from_centre = math.sqrt(max(0.0, 1.0 - cosine * cosine)) - span
    doubt = reach + ROUNDING + _ROUNDING_AT_CENTRE / max(from_centre, 1e-9)
    return 1.0 - CLOSENESS_A_SPACING * scale * doubt / (cosine - span) ** 2


@numba.njit(nogil=True, cache=True, error_model="numpy")
def nearest_faces(x: float, y: float, z: float, bases: Any) -> tuple[int, float, float]:
    """The nearest face, the cosine of the angle to its centre and to that of the next face."""
    face, best, second = 0, -2.0, -2.0
    for other in range(bases.shape[0]):
        centre = bases[other, 2]
        cosine = centre[0] * x + centre[1] * y + centre[2] * z
        if cosine > best:
            face, best, second = other, cosine, best
        elif cosine > second:
            second = cosine
    return face, best, second


@numba.njit(nogil=True, cache=True, error_model="numpy")
def along(
    cos_lat: float,
    sin_lat: float,
    cos_lon: Any,
    sin_lon: Any,
    basis: Any,
    box: Any,
    limit: float,
    out: Any,
) -> None:
    """The slots of places along a parallel, all of them on one face."""
    qx, qy, qz = basis[0, 0] * cos_lat, basis[0, 1] * cos_lat, basis[0, 2] * sin_lat
    rx, ry, rz = basis[1, 0] * cos_lat, basis[1, 1] * cos_lat, basis[1, 2] * sin_lat
    cx, cy, cz = basis[2, 0] * cos_lat, basis[2, 1] * cos_lat, basis[2, 2] * sin_lat
    columns = np.float64(box[3])
    origin = np.float64(box[4] - box[0] * box[3] - box[1])
    for index in range(out.size):
        east, north = cos_lon[index], sin_lon[index]
        inverse = 1.0 / (cx * east + cy * north + cz)
        q = (qx * east + qy * north + qz) * inverse
        r = (rx * east + ry * north + rz) * inverse
        s = -q - r
        whole_q, whole_r, whole_s = (
            (q + WHOLE) - WHOLE,
            (r + WHOLE) - WHOLE,
            (s + WHOLE) - WHOLE,
        )
        off_q, off_r, off_s = abs(whole_q - q), abs(whole_r - r), abs(whole_s - s)
        # The three must add up to zero: the one that was rounded farthest makes up for the others.
        excess = whole_q + whole_r + whole_s
        farther = off_r if off_r > off_s else off_s
        excess_r = excess if off_r > off_s else 0.0
        whole_q -= excess if off_q > farther else 0.0
        whole_r -= 0.0 if off_q > farther else excess_r
        off_q, off_r = q - whole_q, r - whole_r
        a, b, c = abs(off_q - off_r), abs(off_q + 2.0 * off_r), abs(2.0 * off_q + off_r)
        closeness = a if a > b else b
        closeness = c if c > closeness else closeness
        slot = origin + whole_q * columns + whole_r
        out[index] = np.int32(slot if closeness < limit else -1.0)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def boxed(x: float, y: float, z: float, basis: Any, box: Any, around: float) -> bool:
    """Whether all hexagons within that many hexagons of a place lie in the face's box."""
    cosine = basis[2, 0] * x + basis[2, 1] * y + basis[2, 2] * z
    row = (basis[0, 0] * x + basis[0, 1] * y + basis[0, 2] * z) / cosine - box[0]
    column = (basis[1, 0] * x + basis[1, 1] * y + basis[1, 2] * z) / cosine - box[1]
    margin = _SHEARED * around + 1.0
    return bool(min(row, column, box[2] - 1 - row, box[3] - 1 - column) >= margin)


@numba.njit(nogil=True, cache=True, error_model="numpy", inline="always")
def nearest_hexagon(q: float, r: float) -> tuple[float, float]:
    """The axial coordinates of the hexagon that a place lies in."""
    s = -q - r
    near_q, near_r, near_s = (q + WHOLE) - WHOLE, (r + WHOLE) - WHOLE, (s + WHOLE) - WHOLE
    off_q, off_r, off_s = abs(near_q - q), abs(near_r - r), abs(near_s - s)
    if off_q > off_r and off_q > off_s:
        near_q = -near_r - near_s
    elif off_r > off_s:
        near_r = -near_q - near_s
    return near_q, near_r


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _slot_on(
    x: float, y: float, z: float, basis: Any, box: Any, scale: float, reach: float
) -> tuple[int, float]:
    """The slot of a place on a face, and how far within its certain part it lies; -1 beyond."""
    cosine = basis[2, 0] * x + basis[2, 1] * y + basis[2, 2] * z
    q = (basis[0, 0] * x + basis[0, 1] * y + basis[0, 2] * z) / cosine
    r = (basis[1, 0] * x + basis[1, 1] * y + basis[1, 2] * z) / cosine
    near_q, near_r = nearest_hexagon(q, r)
    off_q, off_r = q - near_q, r - near_r
    off_s = -off_q - off_r
    closeness = max(abs(off_q - off_r), abs(off_r - off_s), abs(off_s - off_q))
    row, column = int(near_q) - box[0], int(near_r) - box[1]
    if row < 0 or row >= box[2] or column < 0 or column >= box[3]:
        return FLAGGED, -1.0
    within = limit_of(cosine, 0.0, scale, reach) - closeness
    return box[4] + row * box[3] + column, within


@numba.njit(nogil=True, cache=True, error_model="numpy")
def slot_of(
    x: float, y: float, z: float, bases: Any, boxes: Any, scale: float, reach: float
) -> int:
    """The slot of any place, or FLAGGED."""
    face, best, second = nearest_faces(x, y, z, bases)
    if best - second <= 2 * (reach + ROUNDING):
        return FLAGGED
    slot, within = _slot_on(x, y, z, bases[face], boxes[face], scale, reach)
    return slot if within > 0 else FLAGGED


@numba.njit(nogil=True, cache=True, error_model="numpy")
def _nearest_slot(
    x: float, y: float, z: float, hint: int, bases: Any, boxes: Any
) -> tuple[int, int]:
    """The slot of any place, certain or not, and its face; `hint` is a face that it may be on."""
    face = hint
    centre = bases[hint, 2]
    if centre[0] * x + centre[1] * y + centre[2] * z < _COSINE_OF_INRADIUS:
        face, _, _ = nearest_faces(x, y, z, bases)
    slot, _ = _slot_on(x, y, z, bases[face], boxes[face], 0.0, 0.0)
    return slot, face


@numba.njit(nogil=True, cache=True, error_model="numpy")
def slots_of_places(
    lat: Any, lon: Any, bases: Any, boxes: Any, scale: float, reach: float, out: Any
) -> None:
    """The slots of places in radians, wherever they lie; all arrays are one-dimensional."""
    for index in range(out.size):
        cos_lat = math.cos(lat[index])
        x, y, z = (
            cos_lat * math.cos(lon[index]),
            cos_lat * math.sin(lon[index]),
            math.sin(lat[index]),
        )
        out[index] = slot_of(x, y, z, bases, boxes, scale, reach)


@numba.njit(nogil=True, cache=True, error_model="numpy")
def split_pixels(
    corners: Any, places: Any, bases: Any, boxes: Any, slots: Any, weights: Any, examples: Any
) -> Any:
    """Sort the samples of each pixel by slot.

    `places` (pixels, samples, 3) and `corners` (pixels, 4, 3) are unit vectors. `slots`, `weights`
    and `examples` (pixels, samples) are filled from the left with each slot, its number of samples
    and one of them; returned is how many slots each pixel has.
    """
    pixels, samples = slots.shape
    parts = np.zeros(pixels, np.int32)
    face = 0
    for pixel in range(pixels):
        place = corners[pixel, 0]
        first, face = _nearest_slot(place[0], place[1], place[2], face, bases, boxes)
        whole = True
        for corner in range(1, corners.shape[1]):
            place = corners[pixel, corner]
            slot, face = _nearest_slot(place[0], place[1], place[2], face, bases, boxes)
            whole = whole and slot == first
        if whole:
            # Hexagons are convex: what lies between the corners is in the same one.
            slots[pixel, 0], weights[pixel, 0], examples[pixel, 0] = first, samples, 0
            parts[pixel] = 1
            continue
        for sample in range(samples):
            place = places[pixel, sample]
            slot, face = _nearest_slot(place[0], place[1], place[2], face, bases, boxes)
            part = 0
            while part < parts[pixel] and slots[pixel, part] != slot:
                part += 1
            if part == parts[pixel]:
                slots[pixel, part] = slot
                weights[pixel, part] = 0
                examples[pixel, part] = sample
                parts[pixel] += 1
            weights[pixel, part] += 1
    return parts
