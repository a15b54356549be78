"""The conformance kit itself: what it accepts, and that it cannot be talked round."""

import asyncio

import pytest

from memio.exceptions import NotSupportedError
from memio.testing import FactStoreSuite
from memio.testing.base import standard


class Silent:
    """A store that opens and closes; a hint decides whether it refuses to be pinged."""

    def __init__(self, hint=None):
        self.hint = hint
        self.events = []

    async def open(self):
        self.events.append("open")

    async def close(self):
        self.events.append("close")

    async def ping(self):
        self.events.append("ping")
        if self.hint is not None:
            raise NotSupportedError("silent", "ping", self.hint)


class Request:
    """The part of a pytest request that the kit reads."""

    def __init__(self, name):
        self.node = self
        self.name = name


def suite(store, **members):
    async def make_store(*_):
        return store

    return type("TestX", (FactStoreSuite,), {"make_store": make_store, **members})()


def run(tests, name, path, **given):
    """Run a standard test as pytest would."""
    getattr(tests, name.partition("[")[0])(Request(name), path, **given)


def test_a_test_gets_an_open_store_and_the_kit_closes_it(tmp_path):
    store = Silent()
    run(suite(store), "test_answers_a_ping", tmp_path)
    assert store.events == ["open", "ping", "close"]


def test_the_store_is_closed_when_the_test_fails(tmp_path):
    store = Silent()
    with pytest.raises(AssertionError):
        run(suite(store), "test_fulfils_the_protocol", tmp_path)
    assert store.events == ["open", "close"]


def test_what_is_unsupported_must_be_refused_with_a_hint(tmp_path):
    tests = suite(Silent("ask its owner"), unsupported={"test_answers_a_ping": "why"})
    run(tests, "test_answers_a_ping", tmp_path)


def test_refusing_without_a_hint_fails(tmp_path):
    tests = suite(Silent(""), unsupported={"test_answers_a_ping": "why"})
    with pytest.raises(AssertionError, match="must say what to do instead"):
        run(tests, "test_answers_a_ping", tmp_path)


def test_doing_what_is_called_unsupported_fails(tmp_path):
    tests = suite(Silent(), unsupported={"test_answers_a_ping": "it is mute"})
    with pytest.raises(pytest.fail.Exception, match="says: it is mute"):
        run(tests, "test_answers_a_ping", tmp_path)


def test_refusing_what_is_not_called_unsupported_fails(tmp_path):
    with pytest.raises(NotSupportedError):
        run(suite(Silent("ask its owner")), "test_answers_a_ping", tmp_path)


def test_one_parameter_of_a_test_can_be_unsupported(tmp_path):
    class Refusing(Silent):
        async def add(self, **_):
            raise NotSupportedError("silent", "add", "do not")

    names = {"test_list_filters[$contains]": "no such operator"}
    tests = suite(Refusing(), unsupported=names)
    run(tests, "test_list_filters[$contains]", tmp_path, operator="$contains")
    with pytest.raises(NotSupportedError):
        run(tests, "test_list_filters[$eq]", tmp_path, operator="$eq")


def test_a_store_that_hangs_fails_in_time(tmp_path):
    class Hanging(Silent):
        async def ping(self):
            await asyncio.Event().wait()

    store = Hanging()
    with pytest.raises(TimeoutError):
        run(suite(store, timeout=0.01), "test_answers_a_ping", tmp_path)
    assert store.events == ["open", "close"]


async def replacement(self, store):
    pass


@pytest.mark.parametrize("member", [None, replacement, standard(replacement)])
def test_standard_tests_cannot_be_replaced(member):
    with pytest.raises(TypeError, match="replaces the standard test test_delete_all;"):
        suite(Silent(), test_delete_all=member)


def test_standard_tests_cannot_be_replaced_by_a_mixin():
    class Mixin:
        test_delete_all = None

    with pytest.raises(TypeError, match="replaces the standard test test_delete_all;"):
        type("TestX", (Mixin, FactStoreSuite), {})


@pytest.mark.parametrize(
    ("unsupported", "message"),
    [
        ({"test_delete_everything": "why"}, "there is no test test_delete_everything"),
        ({"test_delete_all": " "}, "give a reason for test_delete_all"),
    ],
)
def test_unsupported_names_tests_and_gives_reasons(unsupported, message):
    with pytest.raises(TypeError, match=message):
        suite(Silent(), unsupported=unsupported)


def test_a_suite_may_have_tests_of_its_own():
    suite(Silent(), test_of_my_own=replacement)
