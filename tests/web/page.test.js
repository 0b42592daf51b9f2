import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import en from '../../www/js/i18n/en.js';
import vi from '../../www/js/i18n/vi.js';

const root = fileURLToPath(new URL('../../www/', import.meta.url));
const files = (folder) => readdirSync(folder).flatMap((name) => {
  const path = join(folder, name);
  return statSync(path).isDirectory() ? files(path) : [path];
});
const own = files(root);
const sources = own.filter((path) => path.endsWith('.js'));
const pages = own.filter((path) => path.endsWith('.html'));
const text = (path) => readFileSync(path, 'utf8');

test('nothing parses text as markup', () => {
  const ways = /innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment|DOMParser|srcdoc|\beval\(|new Function/;
  for (const path of [...sources, ...pages]) assert.doesNotMatch(text(path), ways, path);
});

test('no page has a script, style or handler of its own, nor a foreign host', () => {
  for (const path of pages) {
    const page = text(path);
    assert.doesNotMatch(page, /<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=/i, path);
    assert.doesNotMatch(page, /(src|href)="(https?:)?\/\//i, path);
  }
});

test('every file that a page or module names exists', () => {
  for (const path of pages) {
    for (const [, name] of text(path).matchAll(/(?:src|href)="(\/[^"?#]*\.[a-z]+)"/g)) assert.ok(statSync(join(root, name)), `${path}: ${name}`);
  }
  for (const path of sources) {
    for (const [, name] of text(path).matchAll(/from '(\.[^']+)'/g)) assert.ok(statSync(join(path, '..', name)), `${path}: ${name}`);
  }
});

test('no folder shadows a path that belongs to the tracker', () => {
  assert.ok(!readdirSync(root).includes('chat'));
});

test('both languages have the same texts with the same placeholders', () => {
  assert.deepEqual(Object.keys(vi), Object.keys(en));
  const holes = (one) => [...one.matchAll(/\{\w+\}/g)].map(([hole]) => hole).sort();
  for (const key of Object.keys(en)) {
    assert.notEqual(vi[key].trim(), '', key);
    assert.deepEqual(holes(vi[key]), holes(en[key]), key);
    assert.equal(vi[key], vi[key].normalize('NFC'), key);
  }
});

test('every text that markup asks for exists, and every existing one is used', () => {
  const all = [...pages, ...sources.filter((path) => !path.includes('i18n/'))].map(text).join('\n');
  for (const [, key] of all.matchAll(/data-i18n="([^"]+)"/g)) assert.ok(key in en, key);
  for (const [, pairs] of all.matchAll(/data-i18n-attrs="([^"]+)"/g)) {
    for (const pair of pairs.split(' ')) assert.ok(pair.split(':')[1] in en, pair);
  }
  for (const key of Object.keys(en)) {
    const stem = key.replace(/_(one|other)$/, '');
    const made = /^(state|presence|error|notify|link|role|event)\./.test(key);
    assert.ok(made || all.includes(`'${stem}'`) || all.includes(`"${stem}"`) || all.includes(`:${stem}`), `${key} is not used`);
  }
});

test('every label points at a field, and every field of a page has a name', () => {
  for (const path of pages) {
    const page = text(path);
    const ids = new Set([...page.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id));
    for (const [, id] of page.matchAll(/\sfor="([^"]+)"/g)) assert.ok(ids.has(id), `${path}: ${id}`);
    assert.match(page, /<html lang="/);
    assert.match(page, /<main/);
  }
});
