import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isLoopback, outsideOrigin } from '../../www/js/core/address.js';
import { afterPause } from '../../www/js/core/pause.js';

test('an address that means this computer to every computer is not handed out', () => {
  for (const here of ['http://localhost:8080', 'http://127.0.0.1:8080/x', 'https://[::1]', 'HTTP://LOCALHOST']) assert.ok(isLoopback(here), here);
  for (const there of ['http://localhost.example.org', 'http://192.168.1.2:8080', 'https://chat.example.org']) assert.equal(isLoopback(there), false, there);
  assert.equal(outsideOrigin('http://localhost:8080', ['http://192.168.1.2:8080', 'http://10.0.0.2:8080']), 'http://192.168.1.2:8080');
  assert.equal(outsideOrigin('http://localhost:8080', []), '');
  assert.equal(outsideOrigin('https://chat.example.org', ['http://192.168.1.2:8080']), 'https://chat.example.org');
});

test('of several calls the last one is acted on, once they pause', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let calls = 0;
  const call = afterPause(() => { calls += 1; }, 250);
  call();
  t.mock.timers.tick(200);
  call();
  t.mock.timers.tick(249);
  assert.equal(calls, 0);
  t.mock.timers.tick(1);
  assert.equal(calls, 1);
  t.mock.timers.tick(1000);
  assert.equal(calls, 1);
});
