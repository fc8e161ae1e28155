// As much of Node's Buffer as payload decoders use; given to scripts that name it, and to no others.
var Buffer = (function () {
  "use strict";
  const ENCODINGS = {
    hex: {
      read: (text) => (text.match(/[0-9a-f]{2}/gi) || []).map((pair) => parseInt(pair, 16)),
      write: (bytes) => Array.from(bytes, (byte) => (byte + 256).toString(16).slice(1)).join(""),
    },
    latin1: {
      read: (text) => Array.from(text, (each) => each.charCodeAt(0) & 255),
      write: (bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""),
    },
    ascii: {
      read: (text) => Array.from(text, (each) => each.charCodeAt(0) & 255),
      write: (bytes) => Array.from(bytes, (byte) => String.fromCharCode(byte & 127)).join(""),
    },
    utf8: {
      read: (text) => Array.from(unescape(encodeURIComponent(text)), (each) => each.charCodeAt(0)),
      write: (bytes) => {
        const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
        try {
          return decodeURIComponent(escape(text));
        } catch {
          return text; // no UTF-8
        }
      },
    },
    base64: {
      read(text) {
        const bytes = [];
        let bits = 0;
        let count = 0;
        for (const each of text.replace(/=+$/, "")) {
          bits = (bits << 6) | DIGITS.indexOf(each);
          count += 6;
          if (count >= 8) bytes.push((bits >> (count -= 8)) & 255);
        }
        return bytes;
      },
      write(bytes) {
        let text = "";
        for (let i = 0; i < bytes.length; i += 3) {
          const three = (bytes[i] << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
          for (let k = 0; k < 4; k++) text += i + k > bytes.length ? "=" : DIGITS[(three >> (18 - 6 * k)) & 63];
        }
        return text;
      },
    },
  };
  const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const named = (encoding) => ENCODINGS[({ "utf-8": "utf8", binary: "latin1" })[encoding] ?? encoding] ?? ENCODINGS.utf8;

  class Buffer extends Uint8Array {
    static from(given, encoding) {
      const bytes = typeof given === "string" ? named(encoding).read(given) : given;
      const made = new Buffer(bytes.length);
      made.set(bytes);
      return made;
    }
    static alloc(size, value = 0) {
      return new Buffer(size).fill(value);
    }
    static isBuffer(given) {
      return given instanceof Buffer;
    }
    static concat(some) {
      return Buffer.from([].concat(...some.map((each) => Array.from(each))));
    }
    toString(encoding, start = 0, end = this.length) {
      return named(encoding).write(this.subarray(start, end));
    }
    slice(start, end) {
      return this.subarray(start, end);
    }
    readUIntBE(at, size) {
      return view(this, at, size).reduce((sum, byte) => sum * 256 + byte, 0);
    }
    readUIntLE(at, size) {
      return view(this, at, size).reduceRight((sum, byte) => sum * 256 + byte, 0);
    }
    readIntBE(at, size) {
      return signed(this.readUIntBE(at, size), size);
    }
    readIntLE(at, size) {
      return signed(this.readUIntLE(at, size), size);
    }
  }
  const signed = (value, size) => (value >= 2 ** (8 * size - 1) ? value - 2 ** (8 * size) : value);
  const view = (buffer, at, size) => {
    if (!(at >= 0 && at + size <= buffer.length)) throw new RangeError("Attempt to access memory outside buffer bounds");
    return Array.from(buffer.subarray(at, at + size));
  };

  for (const bits of ["8", "16", "32"]) {
    for (const end of bits === "8" ? [""] : ["BE", "LE"]) {
      const size = bits / 8;
      const order = end || "BE";
      const unsigned = function (at = 0) {
        return this["readUInt" + order](at, size);
      };
      Buffer.prototype["readUInt" + bits + end] = Buffer.prototype["readUint" + bits + end] = unsigned;
      Buffer.prototype["readInt" + bits + end] = function (at = 0) {
        return this["readInt" + order](at, size);
      };
    }
  }
  for (const [name, getter, size] of [["Float", "getFloat32", 4], ["Double", "getFloat64", 8]]) {
    for (const end of ["BE", "LE"]) {
      Buffer.prototype["read" + name + end] = function (at = 0) {
        const bytes = Uint8Array.from(view(this, at, size));
        return new DataView(bytes.buffer)[getter](0, end === "LE");
      };
    }
  }
  return Buffer;
})();
