import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pictureOf } from '../../www/js/files/image.js';
import { dice } from './files.support.js';

const bytes = (...parts) => Uint8Array.from(parts.flatMap((part) => (typeof part === 'string' ? [...part].map((char) => char.charCodeAt(0)) : [part].flat())));
const be32 = (n) => [n >>> 24, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];
const be16 = (n) => [n >>> 8, n & 255];
const le16 = (n) => [n & 255, n >>> 8];

const png = (width, height) => bytes('\x89PNG\r\n\x1a\n', be32(13), 'IHDR', be32(width), be32(height), [8, 2, 0, 0, 0]);
const gif = (width, height) => bytes('GIF89a', le16(width), le16(height), [0, 0, 0]);
const jpeg = (width, height, marker = 0xc2) => bytes(
  [0xff, 0xd8], [0xff, 0xe0], be16(16), 'JFIF\0', [1, 1, 0, 0, 1, 0, 1, 0, 0], [0xff, 0xff, 0xdb], be16(4), [0, 0],
  [0xff, marker], be16(11), [8], be16(height), be16(width), [1, 1, 0x11, 0],
);
const webp = (kind, ...rest) => bytes('RIFF', [0, 0, 0, 0], 'WEBP', kind, [0, 0, 0, 0], ...rest);

test('pictures tell their kind and size', () => {
  assert.deepEqual(pictureOf(png(1200, 500)), { type: 'image/png', width: 1200, height: 500 });
  assert.deepEqual(pictureOf(gif(320, 200)), { type: 'image/gif', width: 320, height: 200 });
  assert.deepEqual(pictureOf(jpeg(4000, 3000)), { type: 'image/jpeg', width: 4000, height: 3000 });
  assert.deepEqual(pictureOf(webp('VP8 ', [0, 0, 0, 0x9d, 0x01, 0x2a], le16(640), le16(480))), { type: 'image/webp', width: 640, height: 480 });
  const bits = 639 | (479 << 14);
  assert.deepEqual(pictureOf(webp('VP8L', [0x2f], [bits & 255, (bits >>> 8) & 255, (bits >>> 16) & 255, bits >>> 24])), { type: 'image/webp', width: 640, height: 480 });
  assert.deepEqual(pictureOf(webp('VP8X', [0, 0, 0, 0], [0x7f, 2, 0], [0xdf, 1, 0])), { type: 'image/webp', width: 640, height: 480 });
});

test('what is no picture, has no pixels, or has too many is not shown', () => {
  const others = [
    bytes(''), bytes('MZ'), bytes('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'), bytes('%PDF-1.7 and so on and so on'),
    png(0, 5), png(60_000, 60_000), jpeg(65_535, 65_535), gif(9, 0), jpeg(10, 10, 0xc4), bytes([0xff, 0xd8, 0x00, 0x10], 'x'.repeat(40)),
  ];
  for (const other of others) assert.equal(pictureOf(other), null, Buffer.from(other).toString('latin1').slice(0, 20));
});

test('a picture that is cut off or made up is nothing worse than no picture', () => {
  for (const whole of [png(5, 5), gif(5, 5), jpeg(5, 5), webp('VP8L', [0x2f, 1, 0, 0, 0]), webp('VP8X', [0, 0, 0, 0, 1, 0, 0, 1, 0, 0])]) {
    for (let length = 0; length < whole.length; length += 1) pictureOf(whole.slice(0, length));
    const { below } = dice(whole.length);
    for (let round = 0; round < 500; round += 1) {
      const changed = whole.slice();
      for (let times = 1 + below(4); times > 0; times -= 1) changed[below(changed.length)] = below(256);
      const found = pictureOf(changed);
      assert.ok(found === null || (found.width > 0 && found.height > 0 && found.width * found.height <= 64e6));
    }
  }
});
