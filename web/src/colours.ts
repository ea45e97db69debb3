/** Colour tables: perceptual (even steps of lightness) and safe for colour-blind users. */

/** 33 colours of each published table (both are in the public domain); colours between them are interpolated. */
const knots = {
  viridis:
    "440154470d6048186a482374472d7b4537814240863e49893b528b375b8d33638d2f6b8e2c728e297a8e26828e23898e" +
    "21918c1f988b1fa08822a78528ae8032b67a3fbc734ec36b5ec96270cf5784d44b98d83eaddc30c2df23d8e219ece51b" +
    "fde725",
  cividis:
    "00224e00285b002e6a0533711a386f273e6e32436d3b496c434e6c4b546c535a6d5a5f6e61656f686a716f7073767676" +
    "7d7c788482798c8878938e789b9476a39a74aba072b4a76fbcae6cc4b468cdbb63d5c25edec958e7d150f0d846f9e03a" +
    "fee838",
  grey: "000000ffffff",
  // blue, white, orange: for values about an expected one
  balance: "0b3c78" + "3f7fc4" + "9dc3e6" + "f5f5f5" + "f3bd85" + "d97b1f" + "7a3c00",
} as const;

export type TableName = keyof typeof knots;
export const tableNames: readonly TableName[] = ["viridis", "cividis", "grey"];

const made = new Map<TableName, Uint32Array>();

/** Returns 256 colours as the bytes of ImageData (alpha, blue, green, red from the top). */
export function table(name: TableName): Uint32Array {
  let colours = made.get(name);
  if (!colours) {
    colours = Uint32Array.from({ length: 256 }, (_, level) => pack(colourAt(name, level / 255)));
    made.set(name, colours);
  }
  return colours;
}

/** Returns red, green and blue (0 to 255) at a place between 0 and 1. */
export function colourAt(name: TableName, place: number): [number, number, number] {
  const text = knots[name];
  const last = text.length / 6 - 1;
  const position = Math.min(1, Math.max(0, place)) * last;
  const below = Math.min(Math.floor(position), last - 1);
  const share = position - below;
  const channel = (knot: number, which: number) => parseInt(text.substr(6 * knot + 2 * which, 2), 16);
  const mix = (which: number) =>
    Math.round(channel(below, which) * (1 - share) + channel(below + 1, which) * share);
  return [mix(0), mix(1), mix(2)];
}

function pack([red, green, blue]: [number, number, number]): number {
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** Colours of groups; each also carries its number, so that none is told by colour alone. */
export const groupColours = ["#56b4e9", "#e69f00", "#2fb591", "#f0e442", "#d98cc0", "#ff8a4c", "#9db2ff", "#c8c8c8"];

export const groupColour = (group: number): string => groupColours[group % groupColours.length] ?? "#c8c8c8";

/** Returns the relative luminance of a colour such as `#1b2733` (WCAG 2.2). */
export function luminance(hex: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((start) => {
    const share = parseInt(hex.slice(start, start + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** Returns the contrast of two colours, 1 to 21 (WCAG 2.2). */
export function contrastRatio(a: string, b: string): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}
