/** Where progress is shown: standard error, or a test. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
}

export interface ProgressDeps {
  stream?: ProgressStream;
  /** Milliseconds of a clock that never goes back. */
  now?: () => number;
}

export interface Progress {
  /** Where the work stands; cheap, may be called for every batch. */
  update(state: ProgressState): void;
  /** Takes the line away (terminal) or writes a last one; once. Nothing may be shown afterwards. */
  done(): void;
}

export interface ProgressState {
  frames: number;
  /** Bytes read and their total where it is known: for the share and the time left. */
  bytes?: number;
  bytesTotal?: number | undefined;
}

const REDRAW_MS = 100;
const LINE_MS = 5000;

const grouped = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** `4:05`, `1:02:03`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const two = (n: number): string => String(n).padStart(2, '0');
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${two(whole % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

/**
 * Says how far long work is: frames, rate, share and time left. On a terminal one line that is redrawn,
 * elsewhere a plain line every few seconds.
 */
export function createProgress(label: string, deps: ProgressDeps = {}): Progress {
  const stream = deps.stream ?? process.stderr;
  const now = deps.now ?? (() => performance.now());
  const terminal = stream.isTTY === true;
  const started = now();
  let shownAt = started;
  let last: ProgressState | undefined;
  let drawn = false;
  let ended = false;

  function line(state: ProgressState, at: number): string {
    const seconds = (at - started) / 1000;
    const rate = seconds > 0 ? state.frames / seconds : 0;
    const parts = [`${grouped.format(state.frames)} frames`, `${grouped.format(rate)}/s`];
    const { bytes, bytesTotal } = state;
    if (bytes !== undefined && bytesTotal !== undefined && bytesTotal > 0) {
      const share = Math.min(1, bytes / bytesTotal);
      parts.push(`${Math.floor(share * 100)}%`);
      if (share > 0 && share < 1) parts.push(`${formatSeconds((seconds * (1 - share)) / share)} left`);
    }
    return `${label}: ${parts.join(', ')}`;
  }

  return {
    update(state) {
      last = state;
      const at = now();
      if (at - shownAt < (terminal ? REDRAW_MS : LINE_MS)) return;
      shownAt = at;
      const text = line(state, at);
      stream.write(terminal ? `\r\u001b[2K${text.slice(0, (stream.columns ?? 80) - 1)}` : `${text}\n`);
      drawn = true;
    },
    done() {
      if (ended) return;
      ended = true;
      if (terminal) {
        if (drawn) stream.write('\r\u001b[2K');
      } else if (drawn && last) {
        stream.write(`${line(last, now())}, done in ${formatSeconds((now() - started) / 1000)}\n`);
      }
    },
  };
}
