/**
 * A text for formats of one line: without control characters, line breaks of any kind and marks that turn the
 * direction of writing, with no half of a surrogate pair, and at most `most` characters long.
 */
export function oneLine(text: string, most: number): string {
  const plain = text
    .toWellFormed()
    .replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]+/g, ' ');
  return plain.length > most ? plain.slice(0, most).replace(/[\ud800-\udbff]$/, '') : plain;
}

export function isIpv4(text: string): boolean {
  return /^(\d{1,3})(\.\d{1,3}){3}$/.test(text);
}

export function isIpv6(text: string): boolean {
  return text.includes(':') && /^[0-9a-fA-F:.]+$/.test(text);
}
