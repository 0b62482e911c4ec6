import type { ComponentChildren } from 'preact';
import { formatCount, formatDuration, formatShare } from '../format.ts';
import { connection, lastHeard, status } from '../live.ts';
import { time } from '../site.ts';

const STATE_TEXT: Record<string, string> = {
  starting: 'Starting',
  learning: 'Learning',
  watching: 'Watching',
  finished: 'Finished',
  failed: 'Failed',
};

interface ItemProps {
  name: string;
  children: ComponentChildren;
  warn?: boolean;
  /** Left out on a narrow screen as long as it warns of nothing. */
  minor?: boolean;
}

function Item({ name, children, warn, minor }: ItemProps) {
  return (
    <div class={`strip-item${warn ? ' strip-warn' : minor ? ' strip-minor' : ''}`}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** The line on top of every page: what Wardwatch is doing, and what it cannot see. */
export function Strip() {
  const now = status.value;
  if (!now) {
    return (
      <div class="strip" aria-busy="true">
        <div class="loading-line" />
      </div>
    );
  }
  const dropped = Object.values(now.dropped).reduce((sum, n) => sum + n, 0);
  const off = now.detectors.filter((detector) => detector.status !== 'on');
  const behind = now.lag_ms !== null && now.lag_ms > 30_000;
  return (
    <dl class={connection.value === 'lost' ? 'strip stale' : 'strip'}>
      <Item name="State" warn={now.state === 'failed'}>
        <span class={`state state-${now.state}`}>{STATE_TEXT[now.state]}</span>
        {now.state === 'learning' && (
          <>
            <progress max={1} value={now.learning} aria-label="Progress of learning" />
            <span>{Math.floor(now.learning * 100)} %</span>
          </>
        )}
      </Item>
      <Item name="Source" minor>
        <span class="strip-source" title={now.sources.join(', ')}>
          {now.sources.length > 1 ? `${now.sources[0]} and ${now.sources.length - 1} more` : (now.sources[0] ?? 'none')}
        </span>
      </Item>
      <Item name="Frames/s" minor>
        {formatCount(now.frames_per_second)}
        <span class="muted"> of {formatCount(now.frames)}</span>
      </Item>
      <Item name="Event time" warn={behind}>
        {now.event_time === null ? 'no frame yet' : time.value.full(now.event_time)}
        <span class="muted"> {time.value.zone}</span>
        {behind && <span> · {formatDuration((now.lag_ms ?? 0) / 1000)} behind</span>}
      </Item>
      <Item name="Devices">{formatCount(now.devices)}</Item>
      <Item name="Dropped" warn={dropped > 0}>
        <span
          title={Object.entries(now.dropped)
            .map(([reason, n]) => `${reason}: ${formatCount(n)}`)
            .join('\n')}
        >
          {formatCount(dropped)}
        </span>
      </Item>
      <Item name="Capture loss" minor warn={(now.capture_loss ?? 0) > 0.001}>
        {now.capture_loss === null ? <span class="muted">not known</span> : formatShare(now.capture_loss)}
      </Item>
      <Item name="Detectors" warn={off.length > 0 || now.detectors.length === 0}>
        {now.detectors.length - off.length} on
        {off.length > 0 && (
          <span title={off.map((one) => `${one.id}: ${one.reason ?? one.status}`).join('\n')}> · {off.length} off</span>
        )}
      </Item>
    </dl>
  );
}

/** What stands in the way of trusting the screen: a lost connection, a pipeline that stopped. */
export function Banners() {
  const now = status.value;
  return (
    <div aria-live="assertive">
      {connection.value === 'lost' && (
        <div class="banner banner-bad">
          <strong>No connection to Wardwatch.</strong>{' '}
          {lastHeard.value > 0 && `What you see is from ${time.value.full(lastHeard.value)}. `}Trying again…
        </div>
      )}
      {now?.state === 'failed' && (
        <div class="banner banner-bad">
          <strong>Watching has stopped.</strong> {now.error ?? 'The log says why.'} A quiet queue means nothing now.
        </div>
      )}
    </div>
  );
}
