function decodeUplink(input) {
  return { data: { gusts: [input.bytes[0] / 10, NaN], direction: { deg: input.bytes[1], from: "Süd" } } };
}
