import { useState } from 'preact/hooks';
import { sendJson } from '../api.ts';
import { checkSession, session, takeSession } from '../session.ts';
import { Field, Form } from './form.tsx';
import type { SessionInfo } from '../../api/schemas-access.ts';

export function ChangePassword({ changed }: { changed?: () => void }) {
  const least = session.value?.password_length ?? 15;
  const send = async ({ current = '', next = '' }: Record<string, string>): Promise<void> => {
    takeSession(await sendJson<SessionInfo>('PUT', '/account/password', { current, next }));
    changed?.();
  };
  return (
    <Form label="Change the password" button="Change the password" send={send} empties>
      <Field label="Present password" name="current" password autocomplete="current-password" />
      <Field
        label="New password"
        name="next"
        password
        autocomplete="new-password"
        hint={`At least ${least} characters; a few words in a row do. Your other sessions end.`}
      />
    </Form>
  );
}

/** Codes that are shown this once. */
export function RecoveryCodes({ codes, close }: { codes: string[]; close: () => void }) {
  return (
    <div class="notice" role="status">
      <strong>Recovery codes: write them down now, they are not shown again.</strong>
      <p>Each replaces the one-time code once, for the day when the authenticator is lost.</p>
      <ul class="codes mono">
        {codes.map((code) => (
          <li key={code}>{code}</li>
        ))}
      </ul>
      <button type="button" onClick={close}>
        I have them
      </button>
    </div>
  );
}

/** A secret for an authenticator program, then a code that proves it is there, then the recovery codes. */
export function EnrolSecondFactor({ enrolled }: { enrolled?: () => void }) {
  const [offer, setOffer] = useState<{ secret: string; uri: string } | undefined>();
  const [codes, setCodes] = useState<string[] | undefined>();
  if (codes) {
    const close = (): void => {
      setCodes(undefined);
      setOffer(undefined);
      enrolled?.();
      void checkSession();
    };
    return <RecoveryCodes codes={codes} close={close} />;
  }
  if (!offer) {
    const send = async ({ password = '' }: Record<string, string>): Promise<void> =>
      setOffer(await sendJson<{ secret: string; uri: string }>('POST', '/account/second-factor', { password }));
    return (
      <Form label="Second factor" button="Set up one-time codes" send={send}>
        <Field label="Password" name="password" password autocomplete="current-password" />
      </Form>
    );
  }
  const confirm = async ({ code = '' }: Record<string, string>): Promise<void> => {
    setCodes((await sendJson<{ codes: string[] }>('PUT', '/account/second-factor', { code })).codes);
  };
  return (
    <>
      <p>Type this secret into an authenticator program (time based, 6 digits, 30 seconds):</p>
      <p class="secret mono" data-secret={offer.secret}>
        {offer.secret.replaceAll(/(.{4})(?=.)/g, '$1 ')}
      </p>
      <p class="small">
        On the same device: <a href={offer.uri}>open the authenticator program</a>.
      </p>
      <Form label="Confirm the second factor" button="Confirm" send={confirm}>
        <Field label="One-time code" name="code" autocomplete="one-time-code" code focus hint="What it shows now." />
      </Form>
    </>
  );
}
