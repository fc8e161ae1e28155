// Finds the codec's entry and answers each call with one JSON text; evaluated after the codec.
(function (own) {
  const known = [module.exports, exports, typeof driver === "object" && driver].filter(Boolean);
  const entry = (name, global) => [global, ...known.map((each) => each[name])].find((each) => typeof each === "function");
  const ofTs013 = entry("decodeUplink", typeof decodeUplink === "undefined" ? null : decodeUplink);
  const ofTtnV2 = entry("Decoder", typeof Decoder === "undefined" ? null : Decoder);
  const ofChirpStackV3 = entry("Decode", typeof Decode === "undefined" ? null : Decode);
  const normalizer = entry("normalizeUplink", typeof normalizeUplink === "undefined" ? null : normalizeUplink);
  const { stringify, setNow, Date } = own;
  const list = (given) => (Array.isArray(given) ? given : given === undefined || given === null ? [] : [given]).map(said);
  const said = (each) => {
    if (typeof each === "string") return each;
    if (each && typeof each.message === "string") return (each.name ? each.name + ": " : "") + each.message;
    return typeof each === "object" ? stringify(each) : "" + each;
  };
  const failed = (...errors) => stringify({ errors });
  const plain = (data) => data !== null && typeof data === "object" && !Array.isArray(data);

  function call(bytes, fPort, recvTime) {
    if (ofTs013) {
      const answer = ofTs013({ bytes, fPort, recvTime });
      return plain(answer) ? answer : { errors: ["decodeUplink returned no object"] };
    }
    if (ofTtnV2) return { data: ofTtnV2(bytes, fPort) };
    if (ofChirpStackV3) return { data: ofChirpStackV3(fPort, bytes, {}) };
    return { errors: ["no decodeUplink, Decoder or Decode in this script"] };
  }

  function normalized(data) {
    const answer = normalizer({ data });
    return plain(answer) && !list(answer.errors).length ? answer.data : null;
  }

  return function (hex, fPort, nowMs, normalize) {
    const bytes = [];
    for (let i = 0; i < hex.length; i += 2) bytes.push(parseInt(hex.substr(i, 2), 16));
    setNow(nowMs);
    try {
      const answer = call(bytes, fPort, new Date(nowMs));
      const errors = list(answer.errors);
      if (!errors.length && !plain(answer.data)) return failed("the codec returned no data");
      const out = { data: answer.data, warnings: list(answer.warnings), errors };
      if (normalize && normalizer && !errors.length) out.normalized = normalized(answer.data);
      return stringify(out);
    } catch (error) {
      if (error instanceof InternalError) throw error; // out of memory, out of time: the worker's business
      return failed(said(error));
    }
  };
})(__stadtfunk);
