"""Values that break stores: texts, queries, ids, metadata, cursors and filters."""

from __future__ import annotations

from typing import Any, Final

from memio.models import Filters, Metadata

TEXTS: Final = (
    "The lighthouse keeper polishes brass lanterns every evening",
    "Maria prefers oat milk in her cappuccino",
    "An unpaid invoice arrived from Rotterdam",
    "Granite cliffs shelter nesting puffins",
    "Backup generators failed during yesterday's thunderstorm",
)
"""Ordinary sentences that share no word worth mentioning."""

HARD_TEXTS: Final = (
    "👩‍👩‍👧‍👦 family 🏳️‍🌈 flag 𠜎 \U0001d518\U0001d52b",
    "e\u0301 and \u00e9 are not the same",
    "שלום عالم \u202etxt.exe\u202c",
    "日本語のテキスト",
    "\u017f ß İ \u0131 Ǆ",
    "'",
    '"',
    'it\'s "quoted" `back` \\ slash',
    '" OR 1=1 --',
    "'; DROP TABLE facts; --",
    "NEAR(harbour lantern, 5)",
    "content: harbour AND NOT lantern*",
    "-minus +plus ^caret ~tilde",
    "100% of_them [a-z] $1 ? :name",
    "line\nbreak\ttab\r\ncarriage",
    "\u2028 separators \u2029 \ufeff mark",
    "\x01\x02\x07\x1b[31m\x7f\x85",
    "\ud7ff\ue000\uffff\U0010ffff",
    "\\x00 \\u0000 %00 b'\\xff' AAECAw==",
    '{"json": [1, null]}',
    "<script>alert(1)</script> ${HOME} {{7*7}} {0} %s",
    "null",
    "0",
    "  spaces around  ",
    " \t\n",
    "\u200b\u00ad",
    "w" * 1000,
)
"""Texts that come back as they are, wherever a text may stand."""

HARD_QUERIES: Final = (
    *HARD_TEXTS,
    *("*", "a*", "*a", "^a", "-", "-a", "+a", "(", "((", "()", ")", "{a b}: c", "a:b"),
    *("AND", "OR", "NOT", "a AND", "NOT a", "NEAR", "NEAR(", "NEAR(a, 2", "a NEAR/2 b"),
    *("col:", ":", ":*", "a:*b", "&", "a & | b", "!", "!!a", "<->", "a <-> ", "<2>"),
    *('"', '""', '"a', "'a", "\\", "a\\", "%", "_", ".", "...", "?", "#", "@", "the"),
    "word " * 2000,
)
"""Queries that some engine takes for syntax; none may make a search fail."""

HARD_IDS: Final = (
    *("a/b", "/", "//", ".", "..", "../a", "a%2Fb", "a%2fb", "%", "_", "a_b", "aXb"),
    *("A_B", "a b", " a b", "a b ", "a\\b", 'a"b', "a'b", "a`b", "a;b", "a:b", "a,b"),
    *("a?b=c&d#e", "*", "$eq", "{}", "[]", "--", "'; DROP TABLE facts; --", "0", "00"),
    *(
        "null",
        "None",
        "true",
        "\u00e9",
        "e\u0301",
        "ключ",
        "مفتاح",
        "鍵",
        "😀",
        "ß",
        "ss",
    ),
    *("a\nb", "a\tb", "x" * 200),
)
"""Ids that all differ, and that no store may mix up."""

METADATA: Final[tuple[Metadata, ...]] = (
    {"a": {"b": [1, [2, [{"c": None}]]]}},
    {"null": None, "yes": True, "no": False, "zero": 0, "one": 1, "float": 1.0},
    {"floats": [0.1, -0.0, 1e300, 5e-324, 1.7976931348623157e308, 1e16, 2.0**53]},
    {"64 bits": [2**63 - 1, -(2**63), 2**53 + 1]},
    {"beyond": [2**63, 2**64, -(2**64), 10**40, {"deep": -(10**40)}]},
    {"object": {}, "list": [], "text": "", "mixed": [1, "1", 1.0, True, None, {}, []]},
    {"ключ": "значение", "🔑": "🚪", "": 0, "a.b": 1, "$set": 2, 'a"b': "it's"},
    {"\u00e9": 1, "e\u0301": 2, "É": 3},
    {"id": 1, "content": 2, "user_id": "eve", "agent_id": 3, "metadata": {"x": None}},
    {"score": 5, "created_at": "never", "text": 6, "memory": 7, "session_id": 8},
    {"line\nbreak": "tab\t", "control": "\x01\x1f\x7f", "quote": "'\"\\"},
    {"many": [{str(n): [n]} for n in range(500)]},
)
"""Metadata that comes back exactly: same types, same digits, nothing lost or added."""

CURSORS: Final = (
    *("00", "ff", "0a0d", "deadbeef", "0123456789abcdef" * 8, "00" * 250),
    *(
        text.encode().hex()
        for text in (
            *("0", "-1", "9" * 40, "null", "[]", "{}", '{"id": null}', "[1, 2]"),
            *("' OR 1=1 --", "2024-01-01T00:00:00Z", "é", "a,b"),
        )
    ),
)
"""Cursors that are well formed and that no page ever gave."""

FILTER_ROWS: Final[tuple[Metadata | None, ...]] = (
    None,
    {},
    *({"a": value} for value in (None, True, False, 0, 1, 1.0, -3, 2.5, 1e300)),
    *({"a": value} for value in (2**53, 2**53 + 1, 2**70, 2**70 + 1)),
    *({"a": value} for value in ("", "1", "alpha", "Alpha", "beta", "true", "null")),
    *({"a": value} for value in ("100%", "a_c", "abc", "\u00e9", "e\u0301")),
    *({"a": value} for value in ("\uffee", "\U00010000")),
    *({"a": value} for value in ([], ["alpha"], [1, None, {"k": [1]}], [True], [[1]])),
    *({"a": value} for value in ({}, {"k": 1}, {"k": True}, {"k": 1, "l": [None]})),
    {"a": 5, "b": "x"},
    {"a": 5, "b": "y"},
    {"b": "x"},
    {"a.b": 1},
    {"a": {"b": 1}},
    {"$price": 3, "": 1, "q\"u'o\\te": "yes", "ключ 🔑": "да"},
)
"""What ``FILTERS`` is tried on."""


def _a(op: str, values: list[Any]) -> tuple[Filters, ...]:
    return tuple({"a": {op: value}} for value in values)


FILTERS: Final[dict[str, tuple[Filters, ...]]] = {
    "equality": (
        *({"a": value} for value in (1, 0, True, None, "1", "alpha", "", 2**70, 1e300)),
        *({"a.b": 1}, {"$price": 3}, {"": 1}, {"q\"u'o\\te": "yes"}, {"ключ 🔑": "да"}),
        *({"a": 5, "b": "x"}, {"a": "\u00e9"}, {"a": 2**53 + 1}, {"missing": None}, {}),
    ),
    "$eq": (
        *_a("$eq", [1, True, None, "alpha", [], [1], [True], [[1.0]], {}, {"k": 1}]),
        *_a("$eq", [{"k": True}, {"l": [None], "k": 1.0}, [1, None, {"k": [1]}]]),
    ),
    "$ne": _a("$ne", [1, True, None, "alpha", [], {}, 2**70]),
    "$in": _a("$in", [[], [1], [True, "alpha"], [None, 2**70], [[1], {"k": 1}, 2.5]]),
    "$nin": _a("$nin", [[], [1, "1"], [None], [[], {}]]),
    **{
        op: _a(op, [0, 1.0, 2**53, 2**70, "", "alpha", "\uff00"])
        for op in ("$gt", "$gte", "$lt", "$lte")
    },
    "$exists": tuple(
        {key: {"$exists": there}} for key in ("a", "a.b") for there in (True, False)
    ),
    "$contains": _a(
        "$contains", ["", "a", "%", "_", "alpha", 1, True, None, [1], {"k": [1]}]
    ),
    "$and": (
        {"$and": [{"a": 5}, {"b": "x"}]},
        {"$and": [{"a": {"$gt": 0, "$lt": 3}}, {"a": {"$ne": 1}}]},
        {"$and": [{"a": 5}, {"a": 1}]},
    ),
    "$or": (
        {"$or": [{"a": 1}, {"b": "x"}]},
        {"$or": [{"a": None}, {"a": {"$exists": False}}], "b": "x"},
    ),
    "$not": (
        *({"$not": {"a": 1}}, {"$not": {}}, {"$not": {"a": {"$gt": 1}}}),
        *({"$not": {"$not": {"a": 5}}}, {"$not": {"$or": [{"a": 5}, {"b": "x"}]}}),
    ),
}
"""Expressions by what they try."""

MALFORMED: Final[tuple[Any, ...]] = (
    *({"$and": []}, {"$or": {}}, {"$not": []}, {"$eq": 1}, {"a": {}}, {"a": [1]}),
    *({"a": {"$gtt": 1}}, {"a": {"b": 1}}, {"a": {"$in": 1}}, {"a": {"$exists": 1}}),
    *({"a": {"$gt": None}}, {"a": {"$not": {"$eq": 1}}}, {"$and": [{"a": {"$x": 1}}]}),
)
"""What looks like a filter and is none."""
