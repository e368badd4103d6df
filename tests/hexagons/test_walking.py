from __future__ import annotations

import numpy as np
from hypothesis import assume, event, example, given
from hypothesis import strategies as st

from thalweg.hexagons.faces import face_bases, spacings
from thalweg.hexagons.locating import nearest_faces
from thalweg.hexagons.walking import _bend, _stays, join_runs

unit = st.floats(-1, 1)


@given(unit, unit, unit, st.floats(0, 4), st.integers(2, 500), st.floats(0.5, 1))
@example(0.5, 0.5, 1.0, 4.0, 100, 0.9)
@example(0.8, 0.5, 1.0, 2.0, 100, 0.85)
def test_what_stays_within_its_limit_does_so_at_every_step(
    first: float, last: float, part: float, most: float, count: int, limit: float
) -> None:
    """Of curves that bend as much as is allowed, or less."""
    assume(max(abs(first), abs(last)) < limit)
    bend = most / count**2
    step = np.arange(count + 1)
    curve = first + (last - first) * step / count + part * bend / 2 * step * (count - step)
    stays = _stays(first, last, count, bend, limit)
    event("stays" if stays else "may leave")
    if stays:
        assert (abs(curve) < limit).all()


@given(st.floats(0, 1), st.floats(-180, 180), st.integers(0, 12), st.floats(-2, 1.5))
def test_no_row_bends_more_than_is_said(
    sine: float, lon: float, resolution: int, exponent: float
) -> None:
    """By the second differences of all three measures on the plane of a face."""
    lat, scale = np.arcsin(sine * 0.9999), spacings(resolution)
    pace = 10**exponent / scale / 100
    step = pace / np.cos(lat)
    turns = np.radians(lon) + step * np.arange(-2, 3)
    rows = np.cos(lat) * np.cos(turns), np.cos(lat) * np.sin(turns), np.full(5, np.sin(lat))
    places = np.stack(rows, axis=-1)
    face, cosine, _ = nearest_faces(*places[2], face_bases(resolution))
    plane = face_bases(resolution)[face]
    q, r = plane[:2] @ places.T / (plane[2] @ places.T)
    bend = _bend(np.cos(lat), np.sin(lat), cosine - 2 * pace, pace, scale)
    rounding = 1e-14 * scale
    for measure in (q - r, q + 2 * r, 2 * q + r):
        assert abs(np.diff(measure, 2)).max() <= bend + rounding


def test_runs_are_joined_within_a_row_only() -> None:
    """Those of slots; pixels that are no slot's stay on their own."""
    stops = np.array([2, 3, 4, 5, 7, 8, 9, 10], np.int32)
    slots = np.array([4, 4, -1, 4, 4, 4, -2, -2], np.int32)
    count = join_runs(stops, slots, 5)
    assert stops[:count].tolist() == [3, 4, 5, 8, 9, 10]
    assert slots[:count].tolist() == [4, -1, 4, 4, -2, -2]
