import { useEffect, useRef } from 'preact/hooks';

const KEYS: [string, string][] = [
  ['j', 'next row, or next alert'],
  ['k', 'row or alert before'],
  ['Enter', 'open'],
  ['Esc', 'back'],
  ['/', 'search'],
  ['n', 'show what has arrived'],
  ['x', 'select'],
  ['a', 'take: in progress, assigned to you'],
  ['e', 'evidence, as a capture'],
  ['l', 'learn: this is normal'],
  ['m', 'mute: hide it'],
  ['c', 'close: dealt with'],
  ['z', 'undo what was just done'],
  ['o', 'overview'],
  ['q', 'queue of alerts'],
  ['i', 'incidents'],
  ['r', 'rules'],
  ['d', 'devices'],
  ['?', 'this help'],
];

export function Help({ close }: { close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} onClose={close} aria-labelledby="help-title">
      <h2 id="help-title">Keys</h2>
      <dl class="keys">
        {KEYS.map(([key, meaning]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <h2>Severities</h2>
      <p>
        A severity speaks of the patient: what the device does, whether it is in use, and what the behaviour could do to
        it. Medium and above needs a person.
      </p>
      <button type="button" onClick={() => dialog.current?.close()}>
        Close
      </button>
    </dialog>
  );
}
