"""The SQL of a search: how large its scope is, what its words are, its candidates.

``p`` is a passage; ``r``, joined only where a filter asks for it, the row it is of.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from memio.providers.postgres.rows import Where
from memio.providers.postgres.tables import Parameters
from memio.retrieval.scoring import WHO_WEIGHT

MOST_EXACT: Final = 10_000
"""Passages that are compared one by one; in larger scopes the index is asked."""

MOST_MATCHED: Final = 5_000
"""Passages with a word of the query that are looked at, in larger scopes."""

COMMON: Final = 2_000
"""A word that as many passages hold does not tell which of them to look at."""

NEWEST: Final = 1_000
"""Passages by which it is told what a scope speaks of."""

_K1, _B = 1.2, 0.75  # BM25, as SQLite has it
_PREVIOUS = 0.2  # what a word is worth that stands in the message before

Statement = tuple[str, Parameters]


def survey(where: Where, names: list[str], words: str) -> Statement:
    """Ask for ``size`` (at most ``MOST_EXACT`` + 1), ``lexemes`` and ``mentions``.

    Args:
        where: Which rows to look at.
        names: To be counted in the newest passages; ``newest`` is how many these are.
        words: Of the query; ``lexemes`` are their stems.
    """
    given = Parameters()
    source, condition = _source(where, given)
    size = (
        f"SELECT count(*) FROM (SELECT FROM {source} WHERE {condition}"
        f" LIMIT {MOST_EXACT + 1}) AS s"
    )
    lexemes = f"tsvector_to_array(to_tsvector('words', {given.add(words)}))"
    if not names:
        sql = (
            f"SELECT ({size}) AS size, {lexemes} AS lexemes,"
            " 0 AS newest, '{}'::bigint[] AS mentions"
        )
        return sql, given
    mentions = (
        "SELECT (SELECT count(*) FROM newest WHERE"
        " ts_filter(lexemes, '{a}') @@ phraseto_tsquery('words', name))"
        f" FROM unnest({given.add(names)}::text[]) WITH ORDINALITY AS n (name, place)"
        " ORDER BY place"
    )
    sql = (
        f"WITH newest AS (SELECT p.lexemes FROM {where.table.parts} AS p"
        f" WHERE {where.scope_condition(given, 'p')}"
        f" ORDER BY p.seq DESC LIMIT {NEWEST})"
        f" SELECT ({size}) AS size, {lexemes} AS lexemes,"
        f" (SELECT count(*) FROM newest) AS newest, ARRAY({mentions}) AS mentions"
    )
    return sql, given


def rarity(where: Where, lexemes: list[str]) -> Statement:
    """Ask in how many passages, up to ``COMMON``, each stands: ``lexeme``, ``rows``."""
    given = Parameters()
    source, condition = _source(where, given)
    sql = (
        f"SELECT lexeme, (SELECT count(*) FROM (SELECT FROM {source}"
        f" WHERE {condition} AND p.lexemes @@ quote_literal(lexeme)::tsquery"
        f" LIMIT {COMMON}) AS s) AS rows"
        f" FROM unnest({given.add(lexemes)}::text[]) AS lexeme"
    )
    return sql, given


@dataclass(frozen=True, slots=True)
class Candidates:
    """What to look for.

    Attributes:
        where: Which rows to look at.
        size: How many passages these have, ``MOST_EXACT`` + 1 standing for more.
        is_exact: Whether to compare every vector, not to ask the index.
        vector: Of the query, packed as ``index`` has it; None to go by words alone.
        kind: The type as which vectors are indexed.
        weight: Of the embedder.
        names: Whose rows count for more: lower-cased.
        lexemes: Of the query, with what ``rarity`` says of each, or 0.
        only_own: Whether words that stand in the message before do not count.
        most: How many rows (from the index: passages) to take by their vectors.
        hits: How many rows to take by their words.
    """

    where: Where
    size: int
    is_exact: bool
    vector: bytes | None
    kind: str
    weight: float
    names: list[str]
    lexemes: Mapping[str, int]
    only_own: bool
    most: int
    hits: int

    def statement(self) -> Statement:
        """Ask for ``seq``, ``evidence``, ``bm25``, ``near``, ``who`` and ``found``.

        ``evidence`` is the greatest inner product of the row's vectors; ``near`` tells
        whether the row is among the best by it, which are ``found``.
        """
        given = Parameters()
        parts = self.where.table.parts
        tables = self._hits(given) if self.lexemes else _NO_HITS
        if self.vector is None:
            sql = (
                f"WITH {tables} SELECT seq, 0::real AS evidence, bm25::real,"
                " false AS near, '' AS who, 0 AS found FROM hits"
            )
            return sql, given
        asked = f"{given.add(self.vector)}::vector"
        near = self._every(asked, given) if self.is_exact else self._index(asked, given)
        sql = (
            f"WITH {tables}, near AS MATERIALIZED ({near}), either AS ("
            " SELECT seq, true AS near, 0 AS bm25 FROM near"
            " UNION ALL SELECT seq, false, bm25 FROM hits)"
            f" SELECT p.seq, max(-(p.embedding <#> {asked}))::real AS evidence,"
            " max(e.bm25)::real AS bm25, bool_or(e.near) AS near, min(p.who) AS who,"
            " (SELECT count(*) FROM near) AS found"
            f" FROM either AS e JOIN {parts} AS p USING (seq) GROUP BY p.seq"
        )
        return sql, given

    def _every(self, asked: str, given: Parameters) -> str:
        """Compare each vector of the scope, names included."""
        source, condition = _source(self.where, given)
        order = f"max(-(p.embedding <#> {asked}))"
        if self.names:
            names = f"{given.add(self.names)}::text[]"
            share = (
                f"(SELECT count(*) FROM unnest({names}) AS name"
                " WHERE name = ANY(string_to_array(p.who, ' ')))"
            )
            worth = WHO_WEIGHT / self.weight / len(self.names)
            order += f" + {share} * {given.add(worth)}::float8"
        return (
            f"SELECT p.seq FROM {source} WHERE {condition} GROUP BY p.seq, p.who"
            f" ORDER BY {order} DESC, p.seq DESC LIMIT {given.add(self.most)}"
        )

    def _index(self, asked: str, given: Parameters) -> str:
        """Ask the index for the nearest passages."""
        source, condition = _source(self.where, given)
        return (
            f"SELECT p.seq FROM {source} WHERE {condition}"
            f" ORDER BY p.embedding::{self.kind} <#> {asked}::{self.kind}"
            f" LIMIT {given.add(self.most)}"
        )

    def _hits(self, given: Parameters) -> str:
        """Rank by BM25, within the scope: other tenants' texts have no say in it."""
        lexemes = list(self.lexemes)
        counts = [self.lexemes[lexeme] for lexeme in lexemes]
        known = f"unnest({given.add(lexemes)}::text[], {given.add(counts)}::bigint[])"
        often = (
            "cardinality(array_positions(u.weights, 'A'))"
            f" + {_PREVIOUS} * cardinality(array_positions(u.weights, 'D'))"
        )
        # A subquery, not a join, which the planner may choose to make for each row.
        usual = "(SELECT greatest(avg(words), 1) FROM counted)"
        length = f"({1 - _B} + {_B} * c.words / {usual})"
        return (
            "counted AS MATERIALIZED ("
            f" SELECT m.seq, u.lexeme, sum({often}) AS often, min(m.words) AS words"
            f" FROM ({self._matched(given)}) AS m, unnest(m.lexemes) AS u"
            f" WHERE u.lexeme = ANY({given.add(lexemes)}) GROUP BY m.seq, u.lexeme),"
            " known AS MATERIALIZED ("
            " SELECT k.lexeme, greatest(k.rows, count(c.seq)) AS rows"
            f" FROM {known} AS k (lexeme, rows) LEFT JOIN counted AS c USING (lexeme)"
            " GROUP BY k.lexeme, k.rows),"
            " hits AS MATERIALIZED (SELECT c.seq, sum("
            # More may have come since the size was asked for.
            f" ln(1 + (greatest({given.add(self.size)}, k.rows) - k.rows + 0.5)"
            " / (k.rows + 0.5))"
            f" * c.often * {_K1 + 1} / (c.often + {_K1} * {length})) AS bm25"
            " FROM counted AS c JOIN known AS k USING (lexeme)"
            " WHERE c.often > 0 GROUP BY c.seq"
            f" ORDER BY bm25 DESC, c.seq DESC LIMIT {given.add(self.hits)})"
        )

    def _matched(self, given: Parameters) -> str:
        """Find the passages with any of the words, or of too many the telling ones."""
        source, condition = _source(self.where, given)
        weight = ":A" if self.only_own else ""
        limit = "" if self.size <= MOST_EXACT else f" LIMIT {MOST_MATCHED}"
        every = (
            f"p.lexemes @@ {given.add(_either(list(self.lexemes), weight))}::tsquery"
        )
        wanted = [every]
        rare = [name for name, count in self.lexemes.items() if count < COMMON]
        if 0 < len(rare) < len(self.lexemes):
            telling = f"p.lexemes @@ {given.add(_either(rare, weight))}::tsquery"
            wanted = [telling, f"{every} AND NOT {telling}"]
        return " UNION ALL ".join(
            f"(SELECT p.seq, p.words, p.lexemes FROM {source}"
            f" WHERE {condition} AND {each}{limit})"
            for each in wanted
        )


_NO_HITS = "hits AS (SELECT 0::bigint AS seq, 0 AS bm25 WHERE false)"


def _source(where: Where, given: Parameters) -> tuple[str, str]:
    """Return what to select passages from, and the condition on them."""
    rows = f" JOIN {where.table.name} AS r USING (seq)" if where.has_filter else ""
    return f"{where.table.parts} AS p{rows}", where.condition(given, "p")


def _either(lexemes: list[str], weight: str) -> str:
    quoted = (lexeme.replace("'", "''") for lexeme in lexemes)
    return " | ".join(f"'{lexeme}'{weight}" for lexeme in quoted)
