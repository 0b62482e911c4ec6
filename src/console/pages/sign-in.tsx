import { useEffect, useRef, useState } from 'preact/hooks';
import { RequestError, sendJson } from '../api.ts';
import { Field, Form } from '../parts/form.tsx';
import { ChangePassword, EnrolSecondFactor } from '../parts/credentials.tsx';
import { route } from '../router.ts';
import { session, signOut, takeSession } from '../session.ts';
import type { SessionInfo } from '../../api/schemas-access.ts';

/** Name and password, and the code when the server asks for one. `name` is given where the session has ended. */
function SignInForm({ name }: { name?: string }) {
  const [needsCode, setNeedsCode] = useState(false);
  const send = async (values: Record<string, string>): Promise<void> => {
    const { name: typed = '', password = '', code } = values;
    try {
      const body = { name: name ?? typed, password, ...(code === undefined ? {} : { code }) };
      takeSession(await sendJson<SessionInfo>('POST', '/session', body));
    } catch (error) {
      if (!(error instanceof RequestError) || error.kind !== 'second-factor') throw error;
      setNeedsCode(true);
    }
  };
  useEffect(() => {
    if (needsCode) document.getElementById('field-code')?.focus();
  }, [needsCode]);
  return (
    <Form label="Sign in" button="Sign in" send={send}>
      {name === undefined && <Field label="Name" name="name" autocomplete="username" focus />}
      <Field
        label={name === undefined ? 'Password' : `Password of ${name}`}
        name="password"
        password
        autocomplete="current-password"
        focus={name !== undefined}
      />
      {needsCode && (
        <Field
          label="One-time code"
          name="code"
          autocomplete="one-time-code"
          code
          hint="From the authenticator program. A recovery code does as well, once."
        />
      )}
    </Form>
  );
}

function FirstAdmin({ least }: { least: number }) {
  const send = async ({ code = '', name = '', password = '' }: Record<string, string>): Promise<void> => {
    takeSession(await sendJson<SessionInfo>('POST', '/first-admin', { code, name, password }));
  };
  return (
    <Form label="First admin" button="Make the first admin" send={send}>
      <Field
        label="Code"
        name="code"
        code
        focus
        hint="It stands on the terminal, or in the log, of the newest start of Wardwatch."
      />
      <Field label="Name" name="name" autocomplete="username" />
      <Field
        label="Password"
        name="password"
        password
        autocomplete="new-password"
        hint={`At least ${least} characters; a few words in a row do.`}
      />
    </Form>
  );
}

function SingleSignOn({ label }: { label: string }) {
  const { page, query } = route.value;
  const to = page === 'sign-in' ? '/' : location.pathname + location.search;
  const refused = query.get('refused');
  return (
    <>
      <a class="button wide-button" href={`/api/v1/oidc/start?to=${encodeURIComponent(to)}`}>
        Sign in by {label}
      </a>
      {refused && (
        <div class="notice notice-bad" role="alert">
          <strong>{refused.slice(0, 200)}</strong>
        </div>
      )}
      <p class="muted small between">or with a local account</p>
    </>
  );
}

/** All there is until somebody has signed in. */
export function SignInPage({ info }: { info: SessionInfo }) {
  useEffect(() => {
    document.title = 'Sign in · Wardwatch';
  }, []);
  return (
    <main id="main" class="entrance" tabIndex={-1}>
      <section class="card">
        <h1>{info.first_admin ? 'The first admin' : 'Sign in to Wardwatch'}</h1>
        {info.first_admin ? (
          <FirstAdmin least={info.password_length} />
        ) : (
          <>
            {info.single_sign_on !== null && <SingleSignOn label={info.single_sign_on} />}
            <SignInForm />
          </>
        )}
      </section>
    </main>
  );
}

/** What is owed before anything else: a password of one's own, or a second factor. */
export function PendingPage({ info }: { info: SessionInfo }) {
  const pending = info.user?.pending;
  useEffect(() => {
    document.title = 'Sign in · Wardwatch';
  }, []);
  return (
    <main id="main" class="entrance" tabIndex={-1}>
      <section class="card">
        <h1>{pending === 'password' ? 'A password of your own' : 'A second factor'}</h1>
        {pending === 'password' ? (
          <>
            <p>The password that you were given is for one sign-in.</p>
            <ChangePassword />
          </>
        ) : (
          <>
            <p>This site asks for a one-time code beside the password.</p>
            <EnrolSecondFactor />
          </>
        )}
        <button type="button" class="quiet" onClick={() => void signOut()}>
          Sign out
        </button>
      </section>
    </main>
  );
}

/** Over the page, which stays as it is: the session has ended. */
export function ExpiredDialog() {
  const dialog = useRef<HTMLDialogElement>(null);
  const user = session.value?.user;
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-labelledby="expired-title" onCancel={(event) => event.preventDefault()}>
      <h2 id="expired-title">Your session has ended</h2>
      <p>The page below stays as it is.</p>
      {user?.source === 'oidc' ? <SingleSignOn label={session.value?.single_sign_on ?? 'single sign-on'} /> : null}
      <SignInForm {...(user?.source === 'local' ? { name: user.name } : {})} />
      <p>
        <a href="/sign-in">Sign in as somebody else</a>
      </p>
    </dialog>
  );
}
