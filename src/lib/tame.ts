/**
 * A text from outside that may be shown: without control characters, so that it can neither break a line nor
 * steer a terminal, and not longer than `most` characters.
 */
export function tame(text: string, most = 300): string {
  const plain = text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]+/g, ' ');
  return plain.length > most ? `${plain.slice(0, most - 1)}…` : plain;
}
