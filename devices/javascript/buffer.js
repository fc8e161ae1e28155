// What codecs written for Node use of its Buffer. Evaluated only for a source that names Buffer.
(function () {
  'use strict';
  const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

  function utf8(text) {
    const escaped = unescape(encodeURIComponent(text));
    return Array.from(escaped, (each) => each.charCodeAt(0));
  }

  function encoded(text, encoding) {
    const how = String(encoding ?? 'utf8').toLowerCase();
    if (how === 'hex') return (text.match(/^(?:[0-9a-f]{2})*/i)[0].match(/../g) ?? []).map((each) => parseInt(each, 16));
    if (how === 'base64' || how === 'base64url') {
      const digits = Array.from(text.replace(/-/g, '+').replace(/_/g, '/'), (each) => DIGITS.indexOf(each));
      const bytes = [];
      let bits = 0, count = 0;
      for (const digit of digits.filter((each) => each >= 0)) {
        bits = ((bits << 6) | digit) & 0xffff;
        count += 6;
        if (count >= 8) bytes.push((bits >> (count -= 8)) & 255);
      }
      return bytes;
    }
    if (how === 'ascii' || how === 'latin1' || how === 'binary') return Array.from(text, (each) => each.charCodeAt(0) & 255);
    return utf8(text);
  }

  class Buffer extends Uint8Array {
    static from(value, encoding, length) {
      if (value instanceof ArrayBuffer) return new Buffer(value, encoding, length);
      const bytes = typeof value === 'string' ? encoded(value, encoding) : (value.data ?? value);
      const made = new Buffer(bytes.length);
      for (let i = 0; i < bytes.length; i++) made[i] = bytes[i];
      return made;
    }
    static alloc(size, fill) { return new Buffer(size).fill(fill ?? 0); }
    static allocUnsafe(size) { return new Buffer(size); }
    static isBuffer(value) { return value instanceof Buffer; }
    static byteLength(value, encoding) { return typeof value === 'string' ? encoded(value, encoding).length : value.byteLength; }
    static concat(parts) { return Buffer.from([].concat(...parts.map((each) => Array.from(each)))); }

    slice(start, end) { return this.subarray(start, end); }
    equals(other) { return this.length === other.length && this.every((each, i) => each === other[i]); }
    toJSON() { return { type: 'Buffer', data: Array.from(this) }; }
    copy(target, at = 0, start = 0, end = this.length) {
      const part = this.subarray(start, Math.min(end, start + target.length - at));
      target.set(part, at);
      return part.length;
    }
    toString(encoding, start = 0, end = this.length) {
      const bytes = Array.from(this.subarray(start, end));
      const how = String(encoding ?? 'utf8').toLowerCase();
      if (how === 'hex') return bytes.map((each) => each.toString(16).padStart(2, '0')).join('');
      const chars = bytes.map((each) => String.fromCharCode(how === 'ascii' ? each & 127 : each)).join('');
      if (how === 'base64') return btoa(chars);
      if (how === 'ascii' || how === 'latin1' || how === 'binary') return chars;
      try {
        return decodeURIComponent(escape(chars));
      } catch {
        return chars.replace(/[\x80-\xff]/g, '\ufffd');
      }
    }
    readUIntBE(at, size) { return number(this, at, size, false); }
    readUIntLE(at, size) { return number(this, at, size, true); }
    readIntBE(at, size) { return signed(number(this, at, size, false), size); }
    readIntLE(at, size) { return signed(number(this, at, size, true), size); }
    writeUIntBE(value, at, size) { return put(this, value, at, size, false); }
    writeUIntLE(value, at, size) { return put(this, value, at, size, true); }
  }

  function within(buffer, at, size) {
    if (!(at >= 0 && at + size <= buffer.length)) throw new RangeError('offset is outside of the Buffer');
  }
  function number(buffer, at = 0, size = 1, little = false) {
    within(buffer, at, size);
    let value = 0;
    for (let i = 0; i < size; i++) value = value * 256 + buffer[little ? at + size - 1 - i : at + i];
    return value;
  }
  function signed(value, size) {
    const half = 2 ** (8 * size - 1);
    return value >= half ? value - 2 * half : value;
  }
  function put(buffer, value, at = 0, size = 1, little = false) {
    within(buffer, at, size);
    for (let i = 0; i < size; i++) {
      buffer[little ? at + i : at + size - 1 - i] = value;
      value = Math.floor(value / 256);
    }
    return at + size;
  }
  function method(name, body) {
    Object.defineProperty(Buffer.prototype, name, { value: body, writable: true, configurable: true });
  }
  const view = (buffer) => new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);

  for (const [size, bits] of [[1, '8'], [2, '16'], [4, '32']]) {
    for (const [suffix, little] of size === 1 ? [['', false]] : [['BE', false], ['LE', true]]) {
      method('readInt' + bits + suffix, function (at) { return signed(number(this, at, size, little), size); });
      method('writeInt' + bits + suffix, function (value, at) { return put(this, value, at, size, little); });
      for (const unsigned of ['UInt', 'Uint']) {
        method('read' + unsigned + bits + suffix, function (at) { return number(this, at, size, little); });
        method('write' + unsigned + bits + suffix, function (value, at) { return put(this, value, at, size, little); });
      }
    }
  }
  for (const [name, type] of [['Float', 'Float32'], ['Double', 'Float64'], ['BigInt64', 'BigInt64'], ['BigUInt64', 'BigUint64']]) {
    for (const [suffix, little] of [['BE', false], ['LE', true]]) {
      method('read' + name + suffix, function (at = 0) { return view(this)['get' + type](at, little); });
    }
  }

  const make = (name, value) =>
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
  make('Buffer', Buffer);
  make('require', (name) => {
    if (/^(?:node:)?buffer\/?$/.test(name)) return { Buffer };
    throw new Error(`cannot require ${name}`);
  });
})()
