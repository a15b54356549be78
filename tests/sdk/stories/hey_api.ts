// A story told through the client that hey-api generates: <address> <key>.
import assert from 'node:assert/strict';
import {
  addMessages, addTriples, createDocument, createFact, deleteFact, deleteFacts,
  deleteTriple, getEntity, getFact, getHealth, getReadiness, listDocuments, listFacts,
  listMessages, searchDocuments, searchFacts, searchGraph, searchSession,
  updateDocument, updateFact, type ErrorCode, type Fact,
} from './typescript';
import { createClient } from './typescript/client';

const [baseUrl, key] = process.argv.slice(2) as [string, string];
const client = createClient({ baseUrl, auth: key });

async function facts(): Promise<void> {
  const { data: fact } = await createFact({
    client,
    body: { content: 'prefers dark mode', user_id: 'alice', metadata: { n: [1, null] } },
    throwOnError: true,
  });
  assert.deepEqual(fact.metadata, { n: [1, null] });
  assert.equal(fact.agent_id, null);
  const path = { fact_id: fact.id };
  const same = await getFact({ client, path });
  assert.deepEqual(same.data, fact);

  const found = await searchFacts({
    client,
    body: { query: 'dark', filters: { n: { $exists: true } }, mode: 'keyword' },
  });
  const hit: Fact | undefined = found.data?.[0];
  assert.equal(hit?.id, fact.id);
  assert.ok((hit?.score ?? 0) > 0);

  const changed = await updateFact({ client, path, body: { content: 'prefers light' } });
  assert.deepEqual(changed.data?.metadata, fact.metadata);
  const cleared = await updateFact({ client, path, body: { content: 'x', metadata: null } });
  assert.equal(cleared.data?.metadata, null);
  const listed = await listFacts({ client, query: { user_id: 'alice', limit: 10 } });
  assert.deepEqual(listed.data, [cleared.data]);
  const counted = await deleteFacts({ client, query: { user_id: 'alice', dry_run: true } });
  assert.equal(counted.data?.would_delete, 1);
  const deleted = await deleteFact({ client, path });
  assert.equal(deleted.response?.status, 204);
}

async function history(): Promise<void> {
  const path = { session_id: 'trip/1' };
  const stored = await addMessages({
    client,
    path,
    headers: { Prefer: 'return=representation' },
    body: { user_id: 'alice', messages: [{ role: 'user', content: 'to the castle?' }] },
  });
  const silent = await addMessages({
    client,
    path,
    body: { messages: [{ role: 'assistant', content: 'take the 28' }] },
  });
  assert.equal(silent.response?.status, 204);
  const { data: messages } = await listMessages({ client, path, throwOnError: true });
  assert.deepEqual(messages.map((message) => message.role), ['user', 'assistant']);
  assert.deepEqual([messages[0]], stored.data);
  const hits = await searchSession({ client, path, body: { query: 'castle', limit: 1 } });
  assert.equal(hits.data?.[0]?.content, 'to the castle?');
}

async function documents(): Promise<void> {
  const { data: document } = await createDocument({
    client,
    body: { content: 'Items can be returned.', doc_id: 'returns', metadata: { year: 2026 } },
    throwOnError: true,
  });
  const made = await updateDocument({
    client,
    path: { doc_id: 'returns 2' },
    query: { upsert: true },
    body: { content: 'All items can be returned.' },
  });
  assert.equal(made.response?.status, 201);
  const query = { filters: JSON.stringify({ year: { $gte: 2026 } }) };
  assert.deepEqual((await listDocuments({ client, query })).data, [document]);
  const found = await searchDocuments({ client, body: { query: 'return', filters: { year: 2026 } } });
  assert.deepEqual(found.data?.map((hit) => hit.id), ['returns']);
}

async function graph(): Promise<void> {
  const stored = await addTriples({
    client,
    headers: { Prefer: 'return=representation' },
    body: { triples: [{ subject: 'Alice', predicate: 'works at', object: 'Acme/Ltd' }] },
    throwOnError: true,
  });
  const entity = await getEntity({ client, path: { entity: 'Acme/Ltd' } });
  assert.deepEqual(entity.data?.nodes, ['Alice', 'Acme/Ltd']);
  const found = await searchGraph({ client, body: { query: 'who works at Acme?' } });
  assert.equal(found.data?.scores.length, 1);
  const triple_id = (stored.data as { id: string }[])[0]?.id ?? '';
  const deleted = await deleteTriple({ client, path: { triple_id } });
  assert.equal(deleted.response?.status, 204);
}

async function errors(): Promise<void> {
  const codes: (ErrorCode | undefined)[] = [];
  const missing = await getFact({ client, path: { fact_id: 'nowhere' } });
  assert.equal(missing.data, undefined);
  assert.equal(missing.response?.status, 404);
  assert.match(missing.error?.detail ?? '', /nowhere/);
  codes.push(missing.error?.error);
  const taken = { content: 'again', doc_id: 'returns' };
  codes.push((await createDocument({ client, body: taken })).error?.error);
  codes.push((await createFact({ client, body: { content: '' } })).error?.error);
  const stranger = createClient({ baseUrl, auth: 'wrong' });
  codes.push((await listFacts({ client: stranger })).error?.error);
  assert.deepEqual(codes, ['not_found', 'conflict', 'validation_error', 'unauthorized']);
}

async function main(): Promise<void> {
  assert.ok((await getHealth({ client })).data?.stores.graph);
  assert.equal((await getReadiness({ client })).data?.status, 'ready');
  await facts();
  await history();
  await documents();
  await graph();
  await errors();
  console.log('told');
}

void main();
