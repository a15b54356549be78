"""Envelopes, order and pages are exact whatever a hosted service does to texts."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memio.hosted import (
    Row,
    Scope,
    as_sent,
    created_within,
    digest,
    gather,
    new_row,
    newest,
    pack,
    unpack,
)
from memio.hosted.rows import as_moment
from memio.hosted.store import page_of
from memio.models import KEEP

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
METADATA = st.none() | st.dictionaries(
    TEXT, st.recursive(st.none() | st.booleans() | st.integers() | TEXT, st.lists)
)


@given(text=TEXT, metadata=METADATA, user=st.none() | TEXT)
def test_a_row_comes_out_of_its_envelope_as_it_went_in(text, metadata, user):
    row = new_row(text, metadata, scope=Scope(user), extra={"role": text})
    for whole, service in ((True, "mangled"), (False, text)):
        back = unpack(pack(row, text=whole), text=service, place="there")
        assert (back.text, back.metadata, back.user_id) == (text, metadata, user)
        assert (back.id, back.order, back.extra) == (row.id, row.order, {"role": text})
        assert (back.places, back.ready) == (("there",), True)


def test_a_row_without_its_text_is_not_ready():
    row = new_row("a long text", None)
    assert not unpack(pack(row, text=False), text=None, place=None).ready
    assert unpack(pack(row, text=True), text=None, place=None).text == "a long text"


@given(TEXT, st.none() | st.integers(1, 50))
def test_what_is_sent_is_never_blank_nor_too_long(text, most):
    sent = as_sent(text, most)
    assert sent.strip()
    assert "\x00" not in sent
    assert most is None or len(sent) <= max(most, len("(blank)"))


@given(st.lists(TEXT, unique=True))
def test_digests_tell_texts_apart_and_are_safe(texts):
    digests = [digest(text) for text in texts]
    assert len(set(digests)) == len(texts)
    assert all(each.isalnum() and each.isascii() for each in digests)


def test_rows_made_later_sort_later():
    rows = [new_row("text", None, row_id=f"{n % 7}") for n in range(200)]
    assert rows == sorted(rows, key=lambda row: row.order)
    assert len({row.created for row in rows}) == 200


def test_an_update_keeps_the_place_and_moves_the_time():
    row = new_row("old", {"a": 1}, row_id="d")
    kept, cleared = row.changed("new", KEEP), row.changed("new", None)
    assert (kept.text, kept.metadata, kept.order) == ("new", {"a": 1}, row.order)
    assert cleared.metadata is None
    assert as_moment(kept.updated) > as_moment(row.updated)


def test_an_id_tells_when_its_row_was_created():
    row = new_row("text", None)
    start, end = created_within(row.id)
    assert start <= as_moment(row.created) < end
    assert abs(datetime.now(UTC) - start).total_seconds() < 60
    for other in ("d", "", row.id.upper(), "0f4d8c8e-5f0b-4bb1-9a39-6a2a6f2f7f64"):
        assert created_within(other) is None


def test_of_several_copies_the_newest_counts_and_knows_the_others():
    old = Row("a", "old", None, created=1, updated=1, places=("p1",))
    new = Row("a", "new", None, created=1, updated=2, places=("p2",))
    for copies in ([old, new], [new, old], [old, new, new, old]):
        (row,) = newest(copies)
        assert (row.text, row.places) == ("new", ("p2", "p1"))


@given(st.lists(TEXT, unique=True, max_size=12), st.integers(1, 5))
def test_pages_hold_every_row_once(ids, limit):
    rows = [new_row("text", None, row_id=each) for each in ids]
    seen, cursor = [], None
    while True:
        page, cursor = page_of(rows, limit, cursor)
        seen += [row.id for row in page]
        if cursor is None:
            break
    assert seen == ids[::-1]


@given(st.binary(min_size=1).map(bytes.hex))
def test_any_cursor_answers_a_page(cursor):
    rows = [new_row("text", None) for _ in range(3)]
    page, _ = page_of(rows, 2, cursor)
    assert all(row in rows for row in page)


async def test_after_a_failure_nothing_goes_on():
    begun = []

    async def work(n):
        begun.append(n)
        await asyncio.sleep(0.01)
        if n == 3:
            raise ValueError(n)
        return n

    assert await gather(work, [5, 4]) == [5, 4]
    with pytest.raises(ValueError, match="3"):
        await gather(work, range(100))
    there = len(begun)
    await asyncio.sleep(0.05)
    assert len(begun) == there < 30
