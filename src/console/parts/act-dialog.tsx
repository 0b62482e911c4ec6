import { useEffect, useRef, useState } from 'preact/hooks';
import type { RuleBody, RulePreview, ScopeBody, TriageBody } from '../../api/schemas-triage.ts';
import { apiPath, RequestError } from '../api.ts';
import { deviceLabel, formatCount, formatType, severityName } from '../format.ts';
import { send, SendError } from '../send.ts';
import { changedHere, editAndTell, tell, undoRule } from '../triage.ts';
import { DailyFields } from './daily.tsx';
import type { Daily } from './daily.tsx';

export type Act = 'learn' | 'mute' | 'close';

/** What a dialog has to know of the alert it was opened on. */
export interface ActTarget {
  readonly triage: TriageBody;
  readonly title: string;
  readonly detector: string;
  readonly device: string;
  readonly device_name: string;
  readonly device_ip: string;
  readonly device_mac: string;
  readonly device_type: string;
  readonly vlan: string;
  /** Other ends, where the evidence is at hand. */
  readonly peers?: readonly string[];
  readonly services?: readonly string[];
}

const WORDS: Record<Act, { title: string; explain: string; past: string; verb: string }> = {
  learn: {
    title: 'Learn',
    explain: 'This is normal now. The baseline takes it, and nothing like it is reported again.',
    past: 'learned',
    verb: 'resolved as normal',
  },
  mute: {
    title: 'Mute',
    explain: 'Hide it and learn nothing. What happens is still recorded and can be shown.',
    past: 'muted',
    verb: 'hidden',
  },
  close: {
    title: 'Close',
    explain: 'Dealt with. If it happens again, it is a new alert.',
    past: 'closed',
    verb: 'closed',
  },
};
export const RESOLUTIONS = [
  ['true_positive', 'True positive: it was what the alert says'],
  ['false_positive', 'False positive: it was not'],
  ['benign', 'Benign: it was, and is harmless'],
  ['test', 'Test'],
] as const;
const DAY_MS = 86_400_000;
const SPANS: [string, string][] = [
  ['0', 'without an end'],
  [String(DAY_MS), 'for a day'],
  [String(7 * DAY_MS), 'for 7 days'],
  [String(30 * DAY_MS), 'for 30 days'],
  [String(90 * DAY_MS), 'for 90 days'],
];

interface Choice {
  readonly whole: boolean;
  readonly device: 'device' | 'class' | 'any';
  readonly detector: boolean;
  readonly vlan: boolean;
  readonly peer: string;
  readonly service: string;
  readonly daily: Daily | undefined;
}

function scopeOf(target: ActTarget, choice: Choice): ScopeBody {
  return {
    ...(choice.device === 'device' ? { device: target.device } : {}),
    ...(choice.device === 'class' ? { device_type: target.device_type } : {}),
    ...(choice.detector ? { detector: target.detector } : {}),
    ...(choice.vlan ? { vlan: target.vlan } : {}),
    ...(choice.peer === '' ? {} : { peer: choice.peer }),
    ...(choice.service === '' ? {} : { service: choice.service }),
    ...(choice.daily === undefined ? {} : { daily: choice.daily }),
  };
}

/** `214 alerts, 2 of them critical`. */
export function previewText(preview: RulePreview, past: string): string {
  const worst = [5, 4].find((severity) => (preview.by_severity[String(severity)] ?? 0) > 0);
  const grave =
    worst === undefined ? '' : `, ${formatCount(preview.by_severity[String(worst)]!)} of them ${severityName(worst)}`;
  const devices = preview.devices > 1 ? ` on ${formatCount(preview.devices)} devices` : '';
  return preview.alerts === 0
    ? `In the last 30 days it would have ${past} nothing.`
    : `In the last 30 days it would have ${past} ${formatCount(preview.alerts)} alert${preview.alerts === 1 ? '' : 's'}${grave}${devices}.`;
}

/** Learn, mute or close: what it is about, what it would have done, and why. Nothing happens before `Apply`. */
export function ActDialog({ act, target, close }: { act: Act; target: ActTarget; close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const words = WORDS[act];
  const [choice, setChoice] = useState<Choice>({
    whole: act !== 'close',
    device: 'device',
    detector: true,
    vlan: false,
    peer: '',
    service: '',
    daily: undefined,
  });
  const [reason, setReason] = useState('');
  const [resolution, setResolution] = useState<(typeof RESOLUTIONS)[number][0]>(
    act === 'close' ? 'true_positive' : 'benign',
  );
  const [span, setSpan] = useState('0');
  const [preview, setPreview] = useState<RulePreview | undefined>();
  const [failure, setFailure] = useState<RequestError | undefined>();
  const [busy, setBusy] = useState(false);
  const [asked, setAsked] = useState(0);
  const scope = scopeOf(target, choice);
  const scopeKey = JSON.stringify(scope);

  useEffect(() => dialog.current?.showModal(), []);
  useEffect(() => {
    setPreview(undefined);
    if (!choice.whole || scopeKey === '{}') return;
    let current = true;
    send<RulePreview>('POST', apiPath('/rules/preview'), { scope }).then(
      (answer) => current && setPreview(answer),
      (error: unknown) => current && error instanceof RequestError && setFailure(error),
    );
    return () => {
      current = false;
    };
  }, [scopeKey, choice.whole, asked]);

  const change = (part: Partial<Choice>): void => setChoice((before) => ({ ...before, ...part }));

  async function apply(): Promise<void> {
    setBusy(true);
    setFailure(undefined);
    try {
      if (choice.whole) {
        const rule = await send<RuleBody>('POST', apiPath('/rules'), {
          act,
          scope,
          reason,
          resolution,
          expected: preview!.open,
          ...(span === '0' ? {} : { until: Date.now() + Number(span) }),
        });
        changedHere.value++;
        tell(`${words.title}: ${formatCount(rule.matches)} open alerts ${words.verb}.`, () => undoRule(rule));
      } else {
        await editAndTell(target.triage, { state: 'resolved', resolution, note: reason }, 'Alert closed.');
      }
      dialog.current?.close();
    } catch (error) {
      if (error instanceof RequestError) setFailure(error);
      // The numbers of the preview are not true any more.
      if (error instanceof SendError && error.status === 409) setAsked((n) => n + 1);
    } finally {
      setBusy(false);
    }
  }

  const label = deviceLabel({
    name: target.device_name,
    ip: target.device_ip,
    mac: target.device_mac,
    key: target.device,
  });
  const ready = reason.trim() !== '' && (!choice.whole || preview !== undefined) && !busy;
  return (
    <dialog ref={dialog} class="act" onClose={close} aria-labelledby="act-title">
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) void apply();
        }}
      >
        <h2 id="act-title">
          {words.title}: {target.title}
        </h2>
        <p class="muted">{words.explain}</p>
        {act === 'close' && (
          <fieldset>
            <legend>What</legend>
            <label>
              <input type="radio" name="whole" checked={!choice.whole} onChange={() => change({ whole: false })} /> this
              alert
            </label>
            <label>
              <input type="radio" name="whole" checked={choice.whole} onChange={() => change({ whole: true })} /> all
              open alerts of a kind
            </label>
          </fieldset>
        )}
        {choice.whole && (
          <fieldset>
            <legend>What kind</legend>
            <label class="field">
              Device
              <select
                value={choice.device}
                onChange={(event) => change({ device: event.currentTarget.value as Choice['device'] })}
              >
                <option value="device">{label} alone</option>
                {target.device_type !== 'unknown' && (
                  <option value="class">every device of its class: {formatType(target.device_type)}</option>
                )}
                <option value="any">every device</option>
              </select>
            </label>
            <label>
              <input
                type="checkbox"
                checked={choice.detector}
                onChange={(event) => change({ detector: event.currentTarget.checked })}
              />{' '}
              only what <b>{target.detector}</b> reports
            </label>
            <label>
              <input
                type="checkbox"
                checked={choice.vlan}
                onChange={(event) => change({ vlan: event.currentTarget.checked })}
              />{' '}
              only in VLAN {target.vlan || 'untagged'}
            </label>
            {(target.peers?.length ?? 0) > 0 && (
              <label class="field">
                Other end
                <select value={choice.peer} onChange={(event) => change({ peer: event.currentTarget.value })}>
                  <option value="">any</option>
                  {target.peers?.map((peer) => (
                    <option key={peer} value={peer}>
                      {peer}
                    </option>
                  ))}
                </select>
              </label>
            )}
            {(target.services?.length ?? 0) > 0 && (
              <label class="field">
                Service
                <select value={choice.service} onChange={(event) => change({ service: event.currentTarget.value })}>
                  <option value="">any</option>
                  {target.services?.map((service) => (
                    <option key={service} value={service}>
                      {service}
                    </option>
                  ))}
                </select>
              </label>
            )}
            <DailyFields daily={choice.daily} change={(daily) => change({ daily })} />
            <label class="field">
              {act === 'close' ? 'Also what comes' : 'Holds'}
              <select value={span} onChange={(event) => setSpan(event.currentTarget.value)}>
                {SPANS.map(([value, text]) => (
                  <option key={value} value={value}>
                    {act === 'close' && value === '0' ? 'no: only what is open now' : text}
                  </option>
                ))}
              </select>
            </label>
          </fieldset>
        )}
        {act === 'close' && (
          <label class="field">
            Resolution
            <select
              value={resolution}
              onChange={(event) => setResolution(event.currentTarget.value as typeof resolution)}
            >
              {RESOLUTIONS.map(([value, text]) => (
                <option key={value} value={value}>
                  {text}
                </option>
              ))}
            </select>
          </label>
        )}
        <label class="field">
          Reason
          <input
            value={reason}
            maxLength={1000}
            required
            autoFocus
            placeholder="for whoever asks in half a year"
            onInput={(event) => setReason(event.currentTarget.value)}
          />
        </label>
        {choice.whole && (
          <div class="preview" aria-live="polite">
            {scopeKey === '{}' ? (
              <p>Name at least one thing: this would take in everything.</p>
            ) : preview === undefined ? (
              <p class="muted">Looking at the last 30 days…</p>
            ) : (
              <>
                <p>
                  <strong>{previewText(preview, words.past)}</strong>
                </p>
                <p>
                  {formatCount(preview.open)} open alert{preview.open === 1 ? '' : 's'} will be {words.verb} now.
                </p>
                {preview.examples.length > 0 && (
                  <ul>
                    {preview.examples.slice(0, 3).map((one) => (
                      <li key={one.uid}>
                        {severityName(one.severity_id)}: {one.title}
                      </li>
                    ))}
                  </ul>
                )}
              </>
            )}
          </div>
        )}
        {failure && (
          <div class="notice notice-bad" role="alert">
            <strong>{failure.message}</strong> {failure.remedy}
          </div>
        )}
        <div class="dialog-foot">
          <button type="submit" class="primary" disabled={!ready}>
            Apply
          </button>
          <button type="button" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
        </div>
      </form>
    </dialog>
  );
}
