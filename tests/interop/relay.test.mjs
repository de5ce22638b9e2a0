// A stock client, nostr-tools, against our relay: what it publishes it can read, live and later.
//
// Needs a node: AYNI_RELAY_URL=ws://127.0.0.1:7777 npm test. The end-to-end tests start one.
// Every test signs with a key of its own, so it may run against a relay that is in use.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { finalizeEvent, generateSecretKey, getPublicKey, verifyEvent } from 'nostr-tools/pure';
import { Relay, useWebSocketImplementation } from 'nostr-tools/relay';
import WebSocket from 'ws';

useWebSocketImplementation(WebSocket);

const URL = process.env.AYNI_RELAY_URL;
const PATIENCE_MS = 5_000;
let relay;
const opened = [];

before(async () => {
  assert.ok(URL, 'set AYNI_RELAY_URL to the address of a running node');
  relay = await Relay.connect(URL);
});

after(() => {
  relay?.close();
  for (const socket of opened) socket.terminate(); // Those of failed tests too, or node would wait for them.
});

const now = () => Math.floor(Date.now() / 1000);

/** Someone with a key, who signs. */
function someone() {
  const secret = generateSecretKey();
  const sign = (kind, content, { tags = [], at = now() } = {}) =>
    finalizeEvent({ kind, content, tags, created_at: at }, secret);
  return { key: getPublicKey(secret), sign };
}

/** Everything stored that these filters find, in the order it comes. */
function stored(...filters) {
  return new Promise((resolve, reject) => {
    const events = [];
    const late = setTimeout(() => reject(new Error('no EOSE')), PATIENCE_MS);
    const subscription = relay.subscribe(filters, {
      onevent: (event) => events.push(event),
      oneose: () => {
        clearTimeout(late);
        resolve(events); // First, since closing calls `onclose` too.
        subscription.close();
      },
      onclose: (reason) => reject(new Error(reason)),
    });
  });
}

const ids = (events) => events.map((event) => event.id);

/** A bare connection, for what a library hides. */
async function bare() {
  const socket = new WebSocket(URL);
  opened.push(socket);
  const inbox = [];
  const waiting = [];
  socket.on('message', (data) => {
    const message = JSON.parse(data);
    const at = waiting.findIndex(({ wanted }) => wanted(message));
    if (at < 0) inbox.push(message);
    else waiting.splice(at, 1)[0].resolve(message);
  });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  const send = (...message) => socket.send(JSON.stringify(message));
  const next = (wanted) => new Promise((resolve, reject) => {
    const at = inbox.findIndex(wanted);
    if (at >= 0) return resolve(inbox.splice(at, 1)[0]);
    const late = setTimeout(() => reject(new Error(`nothing came; unread: ${JSON.stringify(inbox)}`)), PATIENCE_MS);
    waiting.push({ wanted, resolve: (message) => { clearTimeout(late); resolve(message); } });
  });
  return { send, next, inbox, close: () => socket.terminate() };
}

test('a note is published and read back, byte for byte', async () => {
  const ana = someone();
  const tags = [['t', 'saludo'], ['p', ana.key]];
  const note = ana.sign(1, 'Buenos días, «ayni» ☀️ \u2028 "\\" \n\t', { tags });
  await relay.publish(note);
  const [read] = await stored({ ids: [note.id] });
  assert.ok(verifyEvent({ ...read }));
  const plain = (event) => JSON.parse(JSON.stringify(event));
  assert.deepEqual(plain(read), plain(note));
  assert.deepEqual(ids(await stored({ authors: [ana.key], '#t': ['saludo'] })), [note.id]);
  assert.deepEqual(await stored({ authors: [ana.key], '#t': ['other'] }), []);
});

test('publishing twice is no mistake', async () => {
  const note = someone().sign(1, 'once');
  await relay.publish(note);
  await relay.publish(note);
  assert.equal((await stored({ ids: [note.id] })).length, 1);
});

test('a forged event is refused and not stored', async () => {
  const client = await bare();
  const note = someone().sign(1, 'I owe you 5');
  const forged = { ...JSON.parse(JSON.stringify(note)), content: 'I owe you 500' };
  client.send('EVENT', forged);
  const [, , accepted, reason] = await client.next(([verb]) => verb === 'OK');
  assert.equal(accepted, false);
  assert.match(reason, /^invalid: /);
  client.close();
  assert.deepEqual(await stored({ ids: [note.id] }), []);
});

test('a live subscription hears what comes after', async () => {
  const ana = someone();
  const heard = new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error('heard nothing')), PATIENCE_MS).unref();
    const subscription = relay.subscribe([{ authors: [ana.key], kinds: [1] }], {
      onevent: (event) => { subscription.close(); resolve(event); },
      oneose: () => relay.publish(ana.sign(1, 'live')).catch(reject),
    });
  });
  assert.equal((await heard).content, 'live');
});

test('of replaceable metadata the newest stays', async () => {
  const ana = someone();
  const old = ana.sign(0, '{"name":"Ana"}', { at: now() - 10 });
  const young = ana.sign(0, '{"name":"Ana Quispe"}', { at: now() - 5 });
  await relay.publish(old);
  await relay.publish(young);
  await relay.publish(old).catch(() => {}); // Whether it says so or not, the older one changes nothing.
  assert.deepEqual(ids(await stored({ authors: [ana.key], kinds: [0] })), [young.id]);
});

test('of two with one time the lower id stays, whichever came first', async () => {
  for (const reversed of [false, true]) {
    const ana = someone();
    const at = now() - 5;
    const pair = [ana.sign(0, '{"name":"a"}', { at }), ana.sign(0, '{"name":"b"}', { at })];
    pair.sort((a, b) => (a.id < b.id ? -1 : 1));
    const [lower] = pair;
    if (reversed) pair.reverse();
    for (const event of pair) await relay.publish(event).catch(() => {});
    assert.deepEqual(ids(await stored({ authors: [ana.key], kinds: [0] })), [lower.id]);
  }
});

test('an addressable event is replaced by its own name only', async () => {
  const ana = someone();
  const listing = (name, content, at) => ana.sign(30402, content, { tags: [['d', name]], at });
  const bread = listing('bread', 'new bread', now() - 3);
  const eggs = listing('eggs', 'eggs', now() - 4);
  for (const event of [listing('bread', 'bread', now() - 9), bread, eggs]) await relay.publish(event);
  assert.deepEqual(ids(await stored({ authors: [ana.key], kinds: [30402] })), [bread.id, eggs.id]);
  assert.deepEqual(ids(await stored({ authors: [ana.key], '#d': ['eggs'] })), [eggs.id]);
});

test('an author deletes their own note and nobody else deletes it', async () => {
  const [ana, ben] = [someone(), someone()];
  const note = ana.sign(1, 'a slip');
  await relay.publish(note);
  await relay.publish(ben.sign(5, '', { tags: [['e', note.id]] })).catch(() => {});
  assert.deepEqual(ids(await stored({ ids: [note.id] })), [note.id]);
  await relay.publish(ana.sign(5, '', { tags: [['e', note.id], ['k', '1']] }));
  assert.deepEqual(await stored({ ids: [note.id] }), []);
  await assert.rejects(relay.publish(note));
});

test('an ephemeral event is heard and not kept', async () => {
  const ana = someone();
  const signal = ana.sign(20_001, 'now');
  const client = await bare();
  client.send('REQ', 'live', { authors: [ana.key] });
  await client.next(([verb]) => verb === 'EOSE');
  await relay.publish(signal);
  const [, , heard] = await client.next(([verb]) => verb === 'EVENT');
  assert.equal(heard.id, signal.id);
  client.close();
  assert.deepEqual(await stored({ authors: [ana.key] }), []);
});

test('COUNT counts', async () => {
  const ana = someone();
  for (const content of ['1', '2', '3']) await relay.publish(ana.sign(1, content));
  assert.equal(await relay.count([{ authors: [ana.key], kinds: [1] }], {}), 3);
});

test('a limit gives the newest, newest first, and counts for each filter', async () => {
  const ana = someone();
  const notes = [];
  for (let age = 5; age > 0; age -= 1) {
    notes.unshift(ana.sign(1, `${age}`, { at: now() - age }));
    await relay.publish(notes[0]);
  }
  assert.deepEqual(ids(await stored({ authors: [ana.key], limit: 2 })), ids(notes.slice(0, 2)));
  const until = notes[3].created_at;
  const both = await stored({ authors: [ana.key], limit: 1 }, { authors: [ana.key], until, limit: 1 });
  assert.deepEqual(new Set(ids(both)), new Set([notes[0].id, notes[3].id]));
  assert.deepEqual(await stored({ authors: [ana.key], limit: 0 }), []);
});

test('a second REQ with the same id takes the place of the first', async () => {
  const [ana, ben] = [someone(), someone()];
  const client = await bare();
  client.send('REQ', 'one', { authors: [ana.key] });
  await client.next(([verb]) => verb === 'EOSE');
  client.send('REQ', 'one', { authors: [ben.key] });
  await client.next(([verb]) => verb === 'EOSE');
  await relay.publish(ana.sign(1, 'to the first filter'));
  await relay.publish(ben.sign(1, 'to the second filter'));
  const [, id, heard] = await client.next(([verb]) => verb === 'EVENT');
  assert.equal(id, 'one');
  assert.equal(heard.content, 'to the second filter');
  assert.deepEqual(client.inbox.filter(([verb]) => verb === 'EVENT'), []);
  client.close();
});

test('after CLOSE nothing comes', async () => {
  const ana = someone();
  const client = await bare();
  client.send('REQ', 'gone', { authors: [ana.key] });
  await client.next(([verb]) => verb === 'EOSE');
  client.send('CLOSE', 'gone');
  client.send('REQ', 'still', { authors: [ana.key] });
  await client.next(([verb, id]) => verb === 'EOSE' && id === 'still');
  await relay.publish(ana.sign(1, 'hello'));
  const [, id] = await client.next(([verb]) => verb === 'EVENT');
  assert.equal(id, 'still');
  assert.deepEqual(client.inbox.filter(([verb]) => verb === 'EVENT'), []);
  client.close();
});

test('words are found, the best first, and live ones follow', async () => {
  const ana = someone();
  const word = `quwi${now()}`; // A word of this run alone.
  const title = ana.sign(30402, 'criado en casa', { tags: [['d', 'x'], ['title', `${word} tierno`]] });
  const note = ana.sign(1, `Busco un ${word.toUpperCase()}, también gallinas y un poco de alfalfa`);
  const later = ana.sign(1, `otro ${word}`);
  await relay.publish(note);
  await relay.publish(title);
  const search = { search: `${word} language:es`, authors: [ana.key] };
  let found = [];
  for (let attempt = 0; found.length < 2 && attempt < 100; attempt += 1) {
    found = await stored(search); // The index is behind the writer by moments.
    if (found.length < 2) await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.deepEqual(ids(found), [title.id, note.id]);
  assert.deepEqual(await stored({ ...search, kinds: [7] }), []);
  let published;
  const live = new Promise((resolve) => {
    relay.subscribe([search], {
      onevent: (event) => event.id === later.id && resolve(event),
      oneose: () => { published = relay.publish(later); },
    });
  });
  assert.equal((await live).id, later.id);
  await published;
});
