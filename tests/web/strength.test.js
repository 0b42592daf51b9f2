import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BARS, judge } from '../../www/js/core/strength.js';
import en from '../../www/js/i18n/en.js';

const estimate = (score, acceptable = score >= 3) => ({ score, acceptable });

test('an empty field is told the rule, a short password what it lacks, in characters as people count them', () => {
  assert.deepEqual(judge('', 12, null), { grade: '', key: 'password.hint', n: 12 });
  assert.deepEqual(judge('🦀🐳🦊', 12, null), { grade: 'short', key: 'password.short', n: 9 });
  // An estimate of something shorter or longer doesn't make it long enough.
  assert.equal(judge('short', 12, estimate(4)).grade, 'short');
});

test('the estimate decides once there is one, and until then the length speaks', () => {
  const twelve = 'kxqvjzmwpbfh';
  assert.equal(judge(twelve, 12, null).key, 'password.ok');
  assert.equal(judge(`${twelve}abc`, 12, null).key, 'password.good');
  assert.equal(judge(`${twelve}abc`, 12, estimate(2)).key, 'password.weak');
  assert.equal(judge(twelve, 12, estimate(3)).key, 'password.strong');
  assert.equal(judge(twelve, 12, estimate(4)).key, 'password.best');
  assert.equal(judge(twelve, 12, estimate(4, false)).grade, 'weak', 'what would be refused is never called good');
});

test('the bar grows with the grade, and every word exists', () => {
  const seen = [judge('', 12, null), judge('x', 12, null), judge('x'.repeat(12), 12, estimate(1)), judge('x'.repeat(12), 12, estimate(3)), judge('x'.repeat(12), 12, estimate(4))];
  assert.deepEqual(seen.map(({ grade }) => BARS[grade]), [0, 1, 2, 3, 4]);
  for (const { key } of seen) assert.ok(key in en, key);
});
