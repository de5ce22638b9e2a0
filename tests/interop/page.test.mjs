// What the page at `/` promises: text goes in as text, nothing comes from elsewhere, every ink can
// be read on its paper; and, where a node and a browser are there, that it draws what the API says.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';

const web = (name) => readFileSync(new URL(`../../web/${name}`, import.meta.url), 'utf8');
const [script, style, markup, icon] = ['app.js', 'style.css', 'index.html', 'favicon.svg'].map(web);

const FORBIDDEN = new RegExp(['innerHTML', 'outerHTML', 'insertAdjacentHTML', 'document\\.write', '\\beval\\(',
  'new Function', 'DOMParser', 'srcdoc', 'createContextualFragment'].join('|'));
const INLINE = /\bstyle=|\.style\b|<style|javascript:|\bon[a-z]+="/;
const ELSEWHERE = /(?:https?:)?\/\/(?!www\.w3\.org\/2000\/svg)[a-z0-9.-]+\.[a-z]{2,}|@import|url\(/;

test('text goes in as text', () => {
  assert.doesNotMatch(script, FORBIDDEN);
  assert.match('x.innerHTML = y', FORBIDDEN);
});

test('nothing stands inline that a strict policy would refuse', () => {
  assert.doesNotMatch(script, INLINE);
  assert.doesNotMatch(markup, INLINE);
  assert.doesNotMatch(markup, /<script(?![^>]*\bsrc=)/);
  assert.match('<p style="x">', INLINE);
});

test('nothing comes from another host', () => {
  for (const text of [script, style, markup, icon]) assert.doesNotMatch(text, ELSEWHERE);
  for (const bad of ['https://cdn.example.org/x.js', '//cdn.example.org', '@import "x"']) assert.match(bad, ELSEWHERE);
});

test('every word in TEXTS is used, and every word used is there', () => {
  const block = script.slice(script.indexOf('const TEXTS'), script.indexOf('\n};'));
  const named = new Set([...block.matchAll(/^ {2}(\w+):/gm)].map(([, name]) => name));
  const used = new Set([...script.matchAll(/TEXTS\.(\w+)/g)].map(([, name]) => name));
  assert.ok(named.size > 30);
  assert.deepEqual([...used].sort(), [...named].sort());
});

/** The colours named in `:root`, light, or dark over light. */
function inks(dark) {
  const named = (text) => [...text.matchAll(/--(\w+): (#[0-9a-f]{6});/g)];
  const read = (text) => Object.fromEntries(named(text).map(([, name, hex]) => [name, hex]));
  const split = style.indexOf('prefers-color-scheme: dark');
  const light = read(style.slice(0, split));
  return dark ? { ...light, ...read(style.slice(split)) } : light;
}

/** Contrast as WCAG 2.2 reckons it, 1 to 21. */
function contrast(one, other) {
  const light = (hex) => {
    const [r, g, b] = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
      .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const [high, low] = [light(one), light(other)].sort((a, b) => b - a);
  return (high + 0.05) / (low + 0.05);
}

test('every ink can be read on its paper, light and dark (WCAG AA)', () => {
  assert.ok(contrast('#000000', '#ffffff') > 20.9 && contrast('#777777', '#ffffff') < 4.5);
  for (const dark of [false, true]) {
    const colours = inks(dark);
    for (const ink of ['ink', 'quiet', 'give', 'take']) {
      const found = contrast(colours[ink], colours.paper);
      assert.ok(found >= 4.5, `${ink} on paper, ${dark ? 'dark' : 'light'}: ${found.toFixed(2)}`);
    }
    for (const drawn of ['give', 'take']) assert.ok(contrast(colours[drawn], colours.sheet) >= 3);
  }
});

const relay = process.env.AYNI_RELAY_URL;
const browser = ['chromium', 'chromium-browser', 'google-chrome'].find((name) => !spawnSync(name, ['--version']).error);
const missing = (!relay && 'AYNI_RELAY_URL is not set') || (!browser && 'no chromium on this machine');

test('a browser draws what the API says', { skip: missing || false }, async () => {
  const home = relay.replace(/^ws/, 'http').replace(/\/?$/, '/');
  const api = async (path) => (await fetch(`${home}api/v1${path}`)).json();
  const [community] = await api('/communities');
  const [members, proposals, raffles] = await Promise.all([
    api(`/communities/${community.id}/members`), api('/proposals'), api('/raffles')]);
  const profile = mkdtempSync(join(tmpdir(), 'ayni-page-'));
  const { stdout, stderr } = spawnSync(browser, ['--headless', '--no-sandbox', '--disable-gpu',
    '--disable-background-networking', '--no-first-run', `--user-data-dir=${profile}`,
    '--enable-logging=stderr', '--virtual-time-budget=8000', '--dump-dom', home],
  { encoding: 'utf8', timeout: 90_000, maxBuffer: 64 << 20 });
  rmSync(profile, { recursive: true, force: true });
  const drawn = stdout.replaceAll('&amp;', '&').replaceAll('&lt;', '<').replaceAll('&gt;', '>');
  const expected = [community.name, ...members.map((m) => m.name || m.code),
    ...proposals.map((p) => p.title), ...raffles.map((r) => r.title)];
  for (const text of expected) assert.ok(drawn.includes(text), `the page does not show ${text}`);
  const complaints = stderr.split('\n').filter((line) => line.includes('CONSOLE'));
  assert.deepEqual(complaints, []);
});
