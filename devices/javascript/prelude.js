// Evaluated in every context before the codec. Its value, kept by the worker alone, is a function that takes
// the places where a codec may keep its entry points and gives the function that decodes one frame.
(function () {
  'use strict';
  const RealDate = Date;
  const { stringify, parse } = JSON;
  const { isArray } = Array;
  const { apply, construct } = Reflect;
  const asText = String;
  const ErrorType = Error;
  const EngineError = InternalError;
  const TEXTS = 100;
  const TEXT_LENGTH = 500;
  const ANSWER_LENGTH = 1 << 18;
  const OUT_OF_MEMORY = 1;
  let now = 0;

  function global(name, value) {
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true, enumerable: false });
  }

  // The clock stands at recvTime, so that the same uplink decodes to the same values whenever it is decoded.
  function FrozenDate(...given) {
    if (new.target === undefined) return asText(new RealDate(now));
    return construct(RealDate, given.length ? given : [now], new.target);
  }
  Object.defineProperty(FrozenDate, 'prototype', { value: RealDate.prototype, writable: false });
  Object.defineProperty(FrozenDate, 'name', { value: 'Date' });
  Object.defineProperty(FrozenDate, 'length', { value: 7 });
  FrozenDate.UTC = RealDate.UTC;
  FrozenDate.parse = RealDate.parse;
  FrozenDate.now = () => now;
  Object.defineProperty(RealDate.prototype, 'constructor', {
    value: FrozenDate, writable: true, configurable: true, enumerable: false,
  });
  global('Date', FrozenDate);
  delete globalThis.performance;

  const silent = () => undefined;
  global('console', { log: silent, info: silent, warn: silent, error: silent, debug: silent, trace: silent });
  global('exports', {});
  global('module', { exports: globalThis.exports });

  function text(value) {
    try {
      const plain = typeof value === 'object' && value !== null && !(value instanceof ErrorType);
      const said = plain ? stringify(value) : asText(value);
      return said.length > TEXT_LENGTH ? said.slice(0, TEXT_LENGTH) + '...' : said;
    } catch {
      return 'something that cannot be shown';
    }
  }

  function texts(value) {
    if (value === undefined || value === null) return [];
    if (!isArray(value)) return [text(value)];
    const found = [];
    for (let i = 0; i < value.length && i < TEXTS; i++) found[i] = text(value[i]);
    return found;
  }

  const isObject = (value) => typeof value === 'object' && value !== null && !isArray(value);

  // The engine has null to throw where it lacks the memory for an error.
  const isOutOfMemory = (error) =>
    error === null || (error instanceof EngineError && error.message === 'out of memory');

  function failed(message, warnings) {
    return stringify({ w: warnings ?? [], e: [message] });
  }

  function bytesOf(hex) {
    const bytes = [];
    for (let i = 0; i < hex.length; i += 2) {
      const high = hex.charCodeAt(i), low = hex.charCodeAt(i + 1);
      bytes[i >> 1] = ((high > 57 ? high - 87 : high - 48) << 4) | (low > 57 ? low - 87 : low - 48);
    }
    return bytes;
  }

  function entry(holders) {
    for (const name of ['decodeUplink', 'Decoder', 'Decode']) {
      for (const holder of holders) {
        if (isObject(holder) && typeof holder[name] === 'function') {
          return { name, holder, decode: holder[name], normalize: holder.normalizeUplink };
        }
      }
    }
    return null;
  }

  const bind = (holders) => {
    const found = entry(holders);
    if (found === null) return null;
    const { name, holder, decode, normalize } = found;

    function decoded(hex, fPort) {
      const bytes = bytesOf(hex);
      if (name === 'Decoder') return { data: apply(decode, holder, [bytes, fPort]) };
      if (name === 'Decode') return { data: apply(decode, holder, [fPort, bytes, {}]) };
      return apply(decode, holder, [{ bytes, fPort, recvTime: new RealDate(now) }]);
    }

    return (hex, fPort, time, wantsNormalized) => {
      now = time;
      try {
        const result = decoded(hex, fPort);
        if (!isObject(result)) {
          return failed(`${name} returned no object`);
        }
        const answer = { w: texts(result.warnings), e: texts(result.errors) };
        if (answer.e.length === 0) {
          const data = result.data;
          if (!isObject(data)) return failed('the codec returned no data', answer.w);
          answer.d = data;
          if (wantsNormalized && typeof normalize === 'function') {
            answer.d = parse(stringify(data));
            try {
              const standard = apply(normalize, holder, [{ data }]);
              for (const each of [...texts(standard.warnings), ...texts(standard.errors)]) {
                answer.w.push('normalizeUplink: ' + each);
              }
              answer.n = parse(stringify(standard.data ?? null));
            } catch (error) {
              if (isOutOfMemory(error)) return OUT_OF_MEMORY;
              answer.w.push('normalizeUplink: ' + text(error));
            }
          }
        }
        const said = stringify(answer);
        return said.length > ANSWER_LENGTH ? failed(`the answer is too long: ${said.length} characters, at most ${ANSWER_LENGTH}`) : said;
      } catch (error) {
        return isOutOfMemory(error) ? OUT_OF_MEMORY : failed(text(error));
      }
    };
  };
  return bind;
})()
