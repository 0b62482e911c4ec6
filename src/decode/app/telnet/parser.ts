import { endsWithPrompt, isTerminalText } from './prompt.ts';
import { ORIG, RESP } from '../../dissector.ts';
import type { Payload, Verdict } from '../../dissector.ts';
import type { ObservationSink } from '../../observation.ts';
import { login, negotiation } from './events.ts';

/**
 * Telnet, RFC 854:
 *
 *     stream  = *( data | IAC IAC | IAC command | IAC (WILL|WONT|DO|DONT) option | IAC SB option … IAC SE )
 *
 * and the conversation that most servers hold in it, told by the words `login:`, `username:`, `password:`,
 * `incorrect`, `failed`, `denied`, `invalid`, `last login:`. Words are found by automata that remember how far
 * they got, so neither text nor partial lines are kept.
 */
const IAC = 255;
const SB = 250;
const SE = 240;
const WILL = 251;

const PLAIN = 0;
const AFTER_IAC = 1;
const OPTION = 2;
const SUBNEGOTIATION = 3;
const SUBNEGOTIATION_IAC = 4;

const LAST_LOGIN = 0;
const LOGIN = 1;
const USERNAME = 2;
const PASSWORD = 3;
/** From here on: words of a refusal. */
const REFUSAL = 4;
const WORDS = ['last login:', 'login:', 'username:', 'password:', 'incorrect', 'failed', 'denied', 'invalid'];
const FAILURES = WORDS.map(failureTable);

/**
 * Knuth–Morris–Pratt: how far the word still matches after a mismatch at each place.
 * @cold Once a word, when the module is loaded.
 */
function failureTable(word: string): number[] {
  const table = [0];
  let k = 0;
  for (let i = 1; i < word.length; i++) {
    while (k > 0 && word[i] !== word[k]) k = table[k - 1]!;
    if (word[i] === word[k]) k++;
    table.push(k);
  }
  return table;
}

const IDLE = 0;
const ASKED_NAME = 1;
const ASKED_PASSWORD = 2;
const JUDGED = 3;
const SHELL = 4;

export interface TelnetState {
  scan0: number;
  scan1: number;
  negotiated: boolean;
  phase: number;
  attempts: number;
  /** The originator's last byte was a CR, or the line it types is empty so far. */
  afterCr: boolean;
  emptyLine: boolean;
  /** How far each word of the responder's text is matched. */
  matched: Uint8Array;
}

/** @cold Once a flow. */
export function openTelnet(): TelnetState {
  return {
    scan0: PLAIN,
    scan1: PLAIN,
    negotiated: false,
    phase: IDLE,
    attempts: 0,
    afterCr: false,
    emptyLine: true,
    matched: new Uint8Array(WORDS.length),
  };
}

export function probeTelnet(p: Payload): Verdict {
  const { bytes, start, end } = p;
  if (end === start) return 'more';
  if (bytes[start] === IAC) {
    if (end - start < 3) return end - start === 2 && bytes[start + 1]! < SB ? 'no' : 'more';
    if (!isNegotiation(bytes, start)) return 'no';
    if (bytes[start + 1] === SB || end - start < 6 || bytes[start + 3] !== IAC) return 'yes';
    return isNegotiation(bytes, start + 3) ? 'yes' : 'no';
  }
  // A server that does not negotiate: its first words end in a prompt.
  if (p.direction !== RESP || !p.first || end - start > 2048 || !isTerminalText(bytes, start, end)) return 'no';
  return endsWithPrompt(bytes, start, end) ? 'yes' : 'more';
}

/** IAC SB or IAC WILL…DONT with an option that is registered (up to 49, and 255). */
function isNegotiation(bytes: Uint8Array, at: number): boolean {
  const command = bytes[at + 1]!;
  const option = bytes[at + 2]!;
  return command >= SB && command < IAC && (option < 50 || option === 255);
}

export function telnetGap(state: TelnetState, direction: number): void {
  if (direction === ORIG) state.scan0 = PLAIN;
  else {
    state.scan1 = PLAIN;
    state.matched.fill(0);
  }
}

export function readTelnet(state: TelnetState, p: Payload, out: ObservationSink): number {
  const { bytes, start, end, direction } = p;
  let scan = direction === ORIG ? state.scan0 : state.scan1;
  for (let i = start; i < end; i++) {
    const byte = bytes[i]!;
    switch (scan) {
      case AFTER_IAC:
        if (byte >= WILL && byte < IAC) scan = OPTION;
        else if (byte === SB) scan = SUBNEGOTIATION;
        else scan = PLAIN;
        break;
      case OPTION:
        scan = PLAIN;
        if (!state.negotiated) {
          state.negotiated = true;
          out.begin(negotiation);
          out.number(negotiation.at.option, byte);
          out.end();
        }
        break;
      case SUBNEGOTIATION:
        if (byte === IAC) scan = SUBNEGOTIATION_IAC;
        break;
      case SUBNEGOTIATION_IAC:
        scan = byte === SE ? PLAIN : SUBNEGOTIATION;
        break;
      default:
        if (byte === IAC) scan = AFTER_IAC;
        else if (direction === ORIG) typed(state, byte, out);
        else shown(state, byte, out);
    }
  }
  if (direction === ORIG) state.scan0 = scan;
  else state.scan1 = scan;
  return end - start;
}

function observeLogin(state: TelnetState, outcome: string, out: ObservationSink): void {
  out.begin(login);
  out.string(login.at.outcome, outcome);
  out.number(login.at.attempts, state.attempts);
  out.end();
}

/** A line ends at CR (with NUL or LF behind it) or at LF alone. */
function typed(state: TelnetState, byte: number, out: ObservationSink): void {
  const ends = byte === 0x0d || (byte === 0x0a && !state.afterCr);
  state.afterCr = byte === 0x0d;
  if (!ends) {
    if (byte > 0x20) state.emptyLine = false;
    return;
  }
  if (state.phase === ASKED_PASSWORD) {
    state.attempts++;
    state.phase = JUDGED;
    observeLogin(state, 'attempt', out);
  } else if (state.phase === JUDGED && !state.emptyLine) {
    // Typing on without having been asked again: the login went well.
    state.phase = SHELL;
    observeLogin(state, 'accepted', out);
  }
  state.emptyLine = true;
}

function shown(state: TelnetState, byte: number, out: ObservationSink): void {
  const lower = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
  let lastLogin = false;
  for (let w = 0; w < WORDS.length; w++) {
    const word = WORDS[w]!;
    const failure = FAILURES[w]!;
    let k = state.matched[w]!;
    while (k > 0 && word.charCodeAt(k) !== lower) k = failure[k - 1]!;
    if (word.charCodeAt(k) === lower) k++;
    if (k < word.length) {
      state.matched[w] = k;
      continue;
    }
    state.matched[w] = failure[k - 1]!;
    if (w === LAST_LOGIN) {
      lastLogin = true;
      if (state.phase === JUDGED) {
        state.phase = SHELL;
        observeLogin(state, 'accepted', out);
      }
    } else if (!(w === LOGIN && lastLogin)) heard(state, w, out);
  }
}

function heard(state: TelnetState, word: number, out: ObservationSink): void {
  const judged = state.phase === JUDGED;
  if (word >= REFUSAL) {
    if (!judged) return;
    state.phase = IDLE;
    observeLogin(state, 'failed', out);
    return;
  }
  // Asked again without a word of refusal.
  if (judged) observeLogin(state, 'failed', out);
  if (word === PASSWORD) {
    if (state.phase !== SHELL) state.phase = ASKED_PASSWORD;
    return;
  }
  if (word === LOGIN || word === USERNAME) {
    state.phase = ASKED_NAME;
    observeLogin(state, 'prompt', out);
  }
}
