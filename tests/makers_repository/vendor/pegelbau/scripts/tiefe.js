function decodeUplink(input) {
  if (input.fPort !== 7) {
    return { errors: ["unknown fPort " + input.fPort] };
  }
  var level = (input.bytes[0] << 8) | input.bytes[1];
  var data = {
    level: level,
    pump: input.bytes[2] ? "on" : "off",
    day: new Date(input.recvTime).toISOString().slice(0, 10),
    12: "months",
  };
  return level < 256 ? { data: data, warnings: ["low water"] } : { data: data };
}

function normalizeUplink(input) {
  return { data: { water: { depth: input.data.level / 100 } } };
}
