/** From offsets in bytes, asked in ascending order, to offsets in UTF-16 units: each byte is looked at once, however many are asked. */
export function unitsOf(bytes: Buffer): (offset: number) => number {
  let at = 0;
  let units = 0;
  return (offset) => {
    if (offset < at) return bytes.toString('utf8', 0, offset).length;
    units += bytes.toString('utf8', at, offset).length;
    at = offset;
    return units;
  };
}
