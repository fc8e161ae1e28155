// sloppy mode: `level` becomes a global
function decodeUplink(input) {
  level = input.bytes[0];
  return { data: { level: level, unit: "cm²" } };
}
