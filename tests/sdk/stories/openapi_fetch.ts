// A story told through openapi-fetch and the generated types: <address> <key>.
import assert from 'node:assert/strict';
import createClient from 'openapi-fetch';
import type { components, paths } from './typescript-fetch/memio';

type ErrorCode = components['schemas']['ErrorCode'];

const [baseUrl, key] = process.argv.slice(2) as [string, string];
const headers = { Authorization: `Bearer ${key}` };
const memio = createClient<paths>({ baseUrl, headers });

async function facts(): Promise<void> {
  const { data: fact } = await memio.POST('/v1/facts', {
    body: { content: 'prefers dark mode', user_id: 'alice', metadata: { n: [1, null] } },
  });
  assert.ok(fact);
  assert.deepEqual(fact.metadata, { n: [1, null] });
  const params = { path: { fact_id: fact.id } };
  assert.deepEqual((await memio.GET('/v1/facts/{fact_id}', { params })).data, fact);
  const found = await memio.POST('/v1/facts/search', {
    body: { query: 'dark', filters: { n: { $exists: true } }, mode: 'keyword' },
  });
  assert.equal(found.data?.[0]?.id, fact.id);
  const body = { content: 'prefers light mode' };
  const changed = await memio.PUT('/v1/facts/{fact_id}', { params, body });
  assert.deepEqual(changed.data?.metadata, fact.metadata);
  const counted = await memio.DELETE('/v1/facts', {
    params: { query: { user_id: 'alice', dry_run: true } },
  });
  assert.equal(counted.data?.would_delete, 1);
  const deleted = await memio.DELETE('/v1/facts/{fact_id}', { params });
  assert.equal(deleted.response.status, 204);
}

async function history(): Promise<void> {
  const path = '/v1/history/sessions/{session_id}/messages';
  const params = { path: { session_id: 'trip/1' } };
  const said = { role: 'user', content: 'to the castle?' };
  const stored = await memio.POST(path, {
    params: { ...params, header: { Prefer: 'return=representation' } },
    body: { user_id: 'alice', messages: [said] },
  });
  assert.deepEqual((await memio.GET(path, { params })).data, stored.data);
  const silent = await memio.POST(path, { params, body: { messages: [said] } });
  assert.equal(silent.response.status, 204);
}

async function documents(): Promise<void> {
  const body = { content: 'Items can be returned.', doc_id: 'returns', metadata: { year: 2026 } };
  const { data: document } = await memio.POST('/v1/documents', { body });
  assert.equal(document?.id, 'returns');
  const query = { filters: JSON.stringify({ year: { $gte: 2026 } }) };
  const listed = await memio.GET('/v1/documents', { params: { query } });
  assert.deepEqual(listed.data, [document]);
}

async function graph(): Promise<void> {
  const triple = { subject: 'Alice', predicate: 'works at', object: 'Acme/Ltd' };
  const added = await memio.POST('/v1/graph/triples', { body: { triples: [triple] } });
  assert.equal(added.response.status, 204);
  const params = { path: { entity: 'Acme/Ltd' } };
  const entity = await memio.GET('/v1/graph/entities/{entity}', { params });
  assert.deepEqual(entity.data?.nodes, ['Alice', 'Acme/Ltd']);
}

async function errors(): Promise<void> {
  const codes: (ErrorCode | undefined)[] = [];
  const params = { path: { fact_id: 'nowhere' } };
  const missing = await memio.GET('/v1/facts/{fact_id}', { params });
  assert.equal(missing.response.status, 404);
  assert.match(missing.error?.detail ?? '', /nowhere/);
  codes.push(missing.error?.error);
  const taken = { content: 'again', doc_id: 'returns' };
  codes.push((await memio.POST('/v1/documents', { body: taken })).error?.error);
  codes.push((await memio.POST('/v1/facts', { body: { content: '' } })).error?.error);
  codes.push((await createClient<paths>({ baseUrl }).GET('/v1/facts')).error?.error);
  assert.deepEqual(codes, ['not_found', 'conflict', 'validation_error', 'unauthorized']);
}

async function main(): Promise<void> {
  await facts();
  await history();
  await documents();
  await graph();
  await errors();
  console.log('told');
}

void main();
