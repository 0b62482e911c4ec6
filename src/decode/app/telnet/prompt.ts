import { equalsAnyCase, trimEnd } from '../../../lib/ascii.ts';

const PROMPTS = ['login:', 'username:', 'password:', 'user name:'];

/** True where the text ends in a question for a name or a password. */
export function endsWithPrompt(bytes: Uint8Array, start: number, end: number): boolean {
  const to = trimEnd(bytes, start, end);
  return PROMPTS.some((prompt) => equalsAnyCase(bytes, Math.max(start, to - prompt.length), to, prompt));
}

/** Printable text with line ends, tabs, bells and escapes, as terminals show it. */
export function isTerminalText(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    const control = byte < 0x20 && byte !== 0x0d && byte !== 0x0a && byte !== 0x09 && byte !== 0x1b && byte !== 0x07;
    if ((control && byte !== 0) || byte === 0x7f) return false;
  }
  return true;
}
