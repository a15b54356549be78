"""Every operation, used over HTTP as a client would use it."""

from __future__ import annotations

from tests.contract import Api, error_of


def test_a_fact_is_created_found_changed_and_deleted(api: Api) -> None:
    given = {"content": "prefers dark mode", "user_id": "alice", "metadata": {"a": [1]}}
    answer = api.post("/v1/facts", json=given)
    assert answer.status_code == 201
    fact = answer.json()
    assert {key: fact[key] for key in given} == given
    assert answer.headers["location"] == f"/v1/facts/{fact['id']}"
    assert api.get(answer.headers["location"]).json() == fact

    found = api.post("/v1/facts/search", json={"query": "preferences", "limit": 1})
    assert [hit["id"] for hit in found.json()] == [fact["id"]]
    assert 0 < found.json()[0]["score"] <= 1

    path = f"/v1/facts/{fact['id']}"
    changed = api.put(path, json={"content": "prefers light mode"}).json()
    assert (changed["content"], changed["metadata"]) == (
        "prefers light mode",
        {"a": [1]},
    )
    assert api.put(path, json={"content": "x", "metadata": {}}).json()["metadata"] == {}
    assert (
        api.put(path, json={"content": "x", "metadata": None}).json()["metadata"]
        is None
    )
    assert api.delete(path).status_code == 204
    assert error_of(api.get(path)) == (404, "not_found")
    assert error_of(api.put(path, json={"content": "x"})) == (404, "not_found")
    assert error_of(api.delete(path)) == (404, "not_found")


def test_a_list_is_walked_by_its_links(api: Api) -> None:
    for number in range(5):
        api.post("/v1/facts", json={"content": f"fact {number}", "user_id": "al ice"})
    url, seen = "/v1/facts?limit=2&user_id=al%20ice", []
    while url:
        page = api.get(url)
        seen += [fact["content"] for fact in page.json()]
        assert len(page.json()) <= 2
        url = page.links.get("next", {}).get("url")
    assert seen == [f"fact {number}" for number in (4, 3, 2, 1, 0)]


def test_a_scope_bounds_what_is_deleted_and_a_dry_run_only_counts(api: Api) -> None:
    for user, agent in (("alice", "a"), ("alice", "b"), ("bob", "a")):
        body = {"content": "x", "user_id": user, "agent_id": agent}
        api.post("/v1/facts", json=body)
    scope = {"user_id": "alice", "agent_id": "a"}
    counted = api.delete("/v1/facts", params={**scope, "dry_run": "true"})
    assert (counted.status_code, counted.json()) == (200, {"would_delete": 1})
    assert len(api.get("/v1/facts").json()) == 3
    assert api.delete("/v1/facts", params=scope).status_code == 204
    left = [(f["user_id"], f["agent_id"]) for f in api.get("/v1/facts").json()]
    assert left == [("bob", "a"), ("alice", "b")]


def test_filters_say_the_same_on_list_search_and_delete(api: Api) -> None:
    for year in (2024, 2025, 2026):
        body = {"content": f"report of {year}", "metadata": {"year": year}}
        api.post("/v1/documents", json=body)
    recent = '{"year": {"$gte": 2025}}'
    listed = api.get("/v1/documents", params={"filters": recent}).json()
    found = api.post(
        "/v1/documents/search",
        json={"query": "report", "filters": {"year": {"$gte": 2025}}},
    ).json()
    assert sorted(d["content"] for d in listed) == ["report of 2025", "report of 2026"]
    assert sorted(d["id"] for d in found) == sorted(d["id"] for d in listed)
    assert api.delete("/v1/documents", params={"filters": recent}).status_code == 204
    assert [d["metadata"] for d in api.get("/v1/documents").json()] == [{"year": 2024}]


def test_a_conversation_is_kept_searched_and_deleted(api: Api) -> None:
    path = "/v1/history/sessions/session-1"
    said = [
        {"role": "user", "content": "how do I get to the castle?", "name": "Alice"},
        {"role": "assistant", "content": "take tram 28", "metadata": {"n": 1}},
    ]
    body = {"messages": said, "user_id": "alice"}
    assert api.post(f"{path}/messages", json=body).status_code == 204
    late = [{"role": "user", "content": "", "timestamp": "2026-11-22T10:00:00+02:00"}]
    stored = api.post(
        f"{path}/messages",
        json={"messages": late},
        headers={"Prefer": 'respond-async, return="representation"'},
    )
    assert stored.status_code == 201
    assert stored.json()[0]["timestamp"] == "2026-11-22T10:00:00+02:00"

    messages = api.get(f"{path}/messages").json()
    assert [m["content"] for m in messages] == [*(m["content"] for m in said), ""]
    assert messages[1]["metadata"] == {"n": 1}
    last = api.get(f"{path}/messages", params={"limit": 2})
    assert [m["content"] for m in last.json()] == ["take tram 28", ""]
    before = api.get(last.links["next"]["url"])
    assert [m["content"] for m in before.json()] == [said[0]["content"]]

    hit = api.post(f"{path}/search", json={"query": "castle", "limit": 1}).json()[0]
    assert (hit["content"], hit["session_id"]) == (said[0]["content"], "session-1")
    whole = api.post("/v1/history/search", json={"query": "tram", "user_id": "alice"})
    assert whole.json()[0]["content"] == "take tram 28"
    other = api.post("/v1/history/search", json={"query": "tram", "user_id": "bob"})
    assert other.json() == []

    taken = api.post(f"{path}/messages", json={**body, "user_id": "bob"})
    assert error_of(taken) == (409, "conflict")
    assert api.get("/v1/history/sessions").json() == {"sessions": ["session-1"]}
    none = api.get("/v1/history/sessions", params={"user_id": "bob"}).json()
    assert none == {"sessions": []}
    assert api.delete(path).status_code == 204
    for method, url in (("GET", f"{path}/messages"), ("DELETE", path)):
        assert error_of(api.request(method, url)) == (404, "not_found")
    searched = api.post(f"{path}/search", json={"query": "castle"})
    assert error_of(searched) == (404, "not_found")


def test_sessions_are_counted_by_a_dry_run_then_deleted(api: Api) -> None:
    body = {"messages": [{"role": "user", "content": "hi"}], "user_id": "alice"}
    for number in range(3):
        api.post(f"/v1/history/sessions/s{number}/messages", json=body)
    first = api.get("/v1/history/sessions", params={"limit": 2})
    assert first.json() == {"sessions": ["s2", "s1"]}
    assert api.get(first.links["next"]["url"]).json() == {"sessions": ["s0"]}
    counted = api.delete("/v1/history/sessions", params={"dry_run": "true"})
    assert counted.json() == {"would_delete": 3}
    assert api.delete("/v1/history/sessions?user_id=alice").status_code == 204
    assert api.get("/v1/history/sessions").json() == {"sessions": []}


def test_a_document_keeps_its_id_whatever_it_holds(api: Api) -> None:
    doc_id = "a/b c?d#e%2F é 日本"
    created = api.post("/v1/documents", json={"content": "one", "doc_id": doc_id})
    assert created.status_code == 201
    path = created.headers["location"]
    assert api.get(path).json()["id"] == doc_id
    taken = api.post("/v1/documents", json={"content": "two", "doc_id": doc_id})
    assert error_of(taken) == (409, "conflict")
    assert api.put(path, json={"content": "two"}).json()["content"] == "two"
    assert api.delete(path).status_code == 204
    assert error_of(api.get(path)) == (404, "not_found")


def test_a_put_creates_a_document_only_when_told_to(api: Api) -> None:
    body = {"content": "hello", "metadata": {"v": 1}}
    assert error_of(api.put("/v1/documents/d", json=body)) == (404, "not_found")
    created = api.put("/v1/documents/d?upsert=true", json=body)
    assert (created.status_code, created.headers["location"]) == (
        201,
        "/v1/documents/d",
    )
    replaced = api.put("/v1/documents/d?upsert=true", json={"content": "bye"})
    assert (replaced.status_code, replaced.json()["metadata"]) == (200, {"v": 1})
    assert error_of(api.delete("/v1/documents/missing")) == (404, "not_found")
    counted = api.delete("/v1/documents?dry_run=true")
    assert counted.json() == {"would_delete": 1}


def test_the_graph_is_built_read_and_taken_apart(api: Api) -> None:
    triples = [
        {"subject": "Alice", "predicate": "works at", "object": "Acme/Ltd"},
        {"subject": "Bob", "predicate": "knows", "object": "Alice", "metadata": {}},
    ]
    body = {"triples": triples, "user_id": "alice"}
    assert api.post("/v1/graph/triples", json=body).status_code == 204
    again = api.post(
        "/v1/graph/triples", json=body, headers={"Prefer": "return=representation"}
    )
    assert again.status_code == 201
    listed = api.get("/v1/graph/triples", params={"user_id": "alice"}).json()
    assert listed["nodes"] == ["Bob", "Alice", "Acme/Ltd"]
    assert listed["scores"] == []
    assert listed["triples"] == again.json()[::-1]
    one = api.get("/v1/graph/triples?limit=1")
    assert len(api.get(one.links["next"]["url"]).json()["triples"]) == 1

    of_acme = api.get("/v1/graph/entities/Acme%2FLtd").json()["triples"]
    assert [t["subject"] for t in of_acme] == ["Alice"]
    found = api.post("/v1/graph/search", json={"query": "who is the employer?"}).json()
    assert len(found["scores"]) == len(found["triples"]) == 2
    other = api.get("/v1/graph/entities/Alice", params={"user_id": "bob"})
    assert error_of(other) == (404, "not_found")

    triple_id = listed["triples"][0]["id"]
    assert api.delete(f"/v1/graph/triples/{triple_id}").status_code == 204
    gone = api.delete(f"/v1/graph/triples/{triple_id}")
    assert error_of(gone) == (404, "not_found")
    assert api.delete("/v1/graph/entities/Alice?user_id=bob").status_code == 404
    assert api.delete("/v1/graph/entities/Alice").status_code == 204
    assert error_of(api.get("/v1/graph/entities/Alice")) == (404, "not_found")
    assert api.delete("/v1/graph?dry_run=true").json() == {"would_delete": 0}


def test_the_server_describes_itself(api: Api, root) -> None:
    health = api.get("/health").json()
    assert health["stores"] == dict.fromkeys(
        ("facts", "history", "documents", "graph"), True
    )
    assert api.get("/health/ready").json() == {"status": "ready"}
    assert api.get("/openapi.yaml").content == (root / "openapi.yaml").read_bytes()
    assert api.get("/openapi.json").json()["security"] == []
    assert "<html" in api.get("/docs").text
    redirect = api.get("/")
    assert (redirect.status_code, redirect.headers["location"]) == (307, "docs")


def test_bad_input_is_refused_with_one_sentence(api: Api) -> None:
    for answer in (
        api.post("/v1/facts", json={"content": "x", "contents": "y"}),
        api.post("/v1/facts", json={}),
        api.post(
            "/v1/facts", content=b"{", headers={"content-type": "application/json"}
        ),
        api.get("/v1/facts?limit=0"),
        api.get("/v1/facts?limt=5"),
        api.get("/v1/documents?filters=["),
        api.get('/v1/documents?filters={"a": {"$foo": 1}}'),
        api.get("/v1/facts?cursor=xyz"),
    ):
        assert error_of(answer) == (422, "validation_error")
        assert "\n" not in answer.json()["detail"]
    xml = api.post("/v1/facts", content=b"<a/>", headers={"content-type": "text/xml"})
    assert error_of(xml) == (415, "unsupported_media_type")
    large = api.post("/v1/facts", json={"content": "x", "metadata": {"x": "y" * 2**20}})
    assert error_of(large) == (413, "payload_too_large")
    fat = api.post("/v1/facts", json={"content": "x", "metadata": {"x": "y" * 2**16}})
    assert error_of(fat) == (422, "validation_error")
    assert error_of(api.get("/v1/nothing")) == (404, "not_found")
    assert error_of(api.get("/v1/facts/")) == (404, "not_found")
    patched = api.patch("/v1/facts")
    assert error_of(patched) == (405, "method_not_allowed")
    assert patched.headers["allow"] == "DELETE, GET, HEAD, OPTIONS, POST"
