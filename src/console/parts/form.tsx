import type { ComponentChildren } from 'preact';
import { useRef, useState } from 'preact/hooks';
import { RequestError } from '../api.ts';

interface FieldProps {
  label: string;
  name: string;
  password?: boolean;
  autocomplete?: string;
  hint?: string;
  value?: string;
  optional?: boolean;
  focus?: boolean;
  code?: boolean;
}

/** A labelled field; its value is taken from the form when that is sent. */
export function Field({ label, name, password, autocomplete = 'off', hint, value, optional, focus, code }: FieldProps) {
  const id = `field-${name}`;
  const rest = {
    id,
    name,
    autocomplete,
    autocapitalize: 'off',
    spellcheck: false,
    required: !optional,
    autofocus: focus ?? false,
    class: code ? 'mono' : '',
    ...(value === undefined ? {} : { defaultValue: value }),
    ...(hint === undefined ? {} : { 'aria-describedby': `${id}-hint` }),
  } as const;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      {password ? <input type="password" {...rest} /> : <input type="text" {...rest} />}
      {hint !== undefined && (
        <p class="muted small" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}

interface FormProps {
  label: string;
  button: string;
  /** What is sent; what it throws is shown, and the form stays as it is. */
  send: (values: Record<string, string>) => Promise<void>;
  children: ComponentChildren;
  /** Fields are emptied when it was sent. */
  empties?: boolean;
}

/** A form that is sent without leaving the page, once at a time, and says what went wrong. */
export function Form({ label, button, send, children, empties }: FormProps) {
  const form = useRef<HTMLFormElement>(null);
  const [error, setError] = useState<RequestError | undefined>();
  const [busy, setBusy] = useState(false);
  const submit = async (event: Event): Promise<void> => {
    event.preventDefault();
    if (!form.current || busy) return;
    const values = Object.fromEntries(
      [...new FormData(form.current)].map(([name, value]) => [name, typeof value === 'string' ? value : '']),
    );
    setBusy(true);
    setError(undefined);
    try {
      await send(values);
      if (empties) form.current.reset();
    } catch (thrown) {
      setError(thrown instanceof RequestError ? thrown : new RequestError(0, 'The console failed to send it.'));
    } finally {
      setBusy(false);
    }
  };
  return (
    <form ref={form} class="form" aria-label={label} onSubmit={(event) => void submit(event)}>
      {children}
      <div aria-live="assertive">
        {error && (
          <div class="notice notice-bad">
            <strong>{error.message}</strong>
            {error.remedy && <p>{error.remedy}</p>}
          </div>
        )}
      </div>
      <button type="submit" disabled={busy}>
        {button}
      </button>
    </form>
  );
}
