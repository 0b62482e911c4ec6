import { useState } from 'preact/hooks';
import { apiPath, sendJson } from '../api.ts';
import { ChangePassword, EnrolSecondFactor, RecoveryCodes } from '../parts/credentials.tsx';
import { Field, Form } from '../parts/form.tsx';
import { Failure, Loading } from '../parts/states.tsx';
import { useResource } from '../resource.ts';
import { checkSession, may, session, signOut } from '../session.ts';
import { time } from '../site.ts';
import type { MadeToken, SessionList, TokenList } from '../../api/schemas-access.ts';

const ROLES = ['viewer', 'analyst', 'engineer', 'admin'] as const;

function SecondFactor() {
  const [codes, setCodes] = useState<string[] | undefined>();
  if (!session.value?.user?.second_factor && !codes) return <EnrolSecondFactor />;
  if (codes) return <RecoveryCodes codes={codes} close={() => setCodes(undefined)} />;
  const renew = async ({ password = '' }: Record<string, string>): Promise<void> =>
    setCodes((await sendJson<{ codes: string[] }>('POST', '/account/recovery-codes', { password })).codes);
  const remove = async ({ remove: password = '' }: Record<string, string>): Promise<void> => {
    await sendJson('POST', '/account/second-factor/remove', { password });
    await checkSession();
  };
  return (
    <>
      <p>One-time codes are asked for when you sign in.</p>
      <Form label="New recovery codes" button="New recovery codes" send={renew} empties>
        <Field label="Password, for new recovery codes" name="password" password autocomplete="current-password" />
      </Form>
      <Form label="Remove the second factor" button="Remove the second factor" send={remove} empties>
        <Field label="Password, to remove it" name="remove" password autocomplete="current-password" />
      </Form>
    </>
  );
}

function SessionTable() {
  const list = useResource<SessionList>(apiPath('/account/sessions'));
  if (list.error && !list.data) return <Failure error={list.error} retry={list.reload} />;
  if (!list.data) return <Loading lines={2} />;
  const end = (id: number): void => void sendJson('DELETE', `/account/sessions/${id}`).then(list.reload, list.reload);
  return (
    <div class="scroll" role="region" aria-label="Sessions" tabIndex={0}>
      <table class="grid">
        <thead>
          <tr>
            <th scope="col">Last used</th>
            <th scope="col">Address</th>
            <th scope="col">Browser</th>
            <th scope="col">
              <span class="visually-hidden">End</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {list.data.rows.map((row) => (
            <tr key={row.id}>
              <td class="nowrap">{time.value.full(row.seen)}</td>
              <td class="mono">{row.address}</td>
              <td class="small">{row.agent}</td>
              <td class="nowrap">
                {row.current ? (
                  <span class="muted">this one</span>
                ) : (
                  <button type="button" onClick={() => end(row.id)}>
                    End
                  </button>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Tokens() {
  const list = useResource<TokenList>(apiPath('/account/tokens'));
  const [made, setMade] = useState<MadeToken | undefined>();
  if (list.error && !list.data) return <Failure error={list.error} retry={list.reload} />;
  if (!list.data) return <Loading lines={2} />;
  const create = async (values: Record<string, string>): Promise<void> => {
    const { token_name: name = '', role = 'viewer', days = '90', vlans = '' } = values;
    const named = vlans.split(/[\s,]+/).filter(Boolean);
    setMade(
      await sendJson<MadeToken>('POST', '/account/tokens', {
        name,
        role,
        days: Number(days),
        vlans: named.length === 0 ? null : named,
      }),
    );
    list.reload();
  };
  const revoke = (id: number): void => void sendJson('DELETE', `/account/tokens/${id}`).then(list.reload, list.reload);
  return (
    <>
      {made && (
        <div class="notice" role="status">
          <strong>Token {made.token.name}: copy it now, it is not shown again.</strong>
          <p class="secret mono">{made.secret}</p>
          <button type="button" onClick={() => setMade(undefined)}>
            I have it
          </button>
        </div>
      )}
      {list.data.rows.length > 0 && (
        <div class="scroll" role="region" aria-label="API tokens" tabIndex={0}>
          <table class="grid">
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Role</th>
                <th scope="col">VLANs</th>
                <th scope="col">Ends</th>
                <th scope="col">Last used</th>
                <th scope="col">
                  <span class="visually-hidden">Revoke</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {list.data.rows.map((row) => (
                <tr key={row.id}>
                  <td>{row.name}</td>
                  <td>{row.role}</td>
                  <td>{row.vlans === null ? 'all of yours' : row.vlans.join(', ')}</td>
                  <td class="nowrap">{time.value.day(row.expires)}</td>
                  <td class="nowrap">{row.seen === null ? 'never' : time.value.full(row.seen)}</td>
                  <td>
                    <button type="button" onClick={() => revoke(row.id)}>
                      Revoke
                    </button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      <Form label="New API token" button="Make a token" send={create} empties>
        <Field label="Name of the token" name="token_name" hint="What it is for, such as siem." />
        <div class="field">
          <label for="field-role">Role</label>
          <select id="field-role" name="role">
            {ROLES.filter((role) => may(role)).map((role) => (
              <option key={role}>{role}</option>
            ))}
          </select>
        </div>
        <Field label="Days until it ends" name="days" value="90" />
        <Field
          label="Only these VLANs"
          name="vlans"
          optional
          hint="Names with commas between; empty for all of yours."
        />
      </Form>
    </>
  );
}

/** One's own account: password, second factor, sessions, tokens. */
export function AccountPage() {
  const user = session.value?.user;
  if (!user) return null;
  if (user.source === 'open')
    return (
      <>
        <h1>Account</h1>
        <p>Sign-in is off (access.sign_in): everybody at this machine is an admin, and nobody has an account.</p>
      </>
    );
  return (
    <>
      <div class="heading">
        <h1>{user.name}</h1>
        <span class="tag">{user.role}</span>
        <button type="button" onClick={() => void signOut()}>
          Sign out
        </button>
      </div>
      <div class="cards">
        {user.source === 'local' && (
          <>
            <section class="card">
              <h2>Password</h2>
              <ChangePassword />
            </section>
            <section class="card">
              <h2>Second factor</h2>
              <SecondFactor />
            </section>
          </>
        )}
        <section class="card">
          <h2>Sessions</h2>
          <SessionTable />
        </section>
        <section class="card">
          <h2>API tokens</h2>
          <Tokens />
        </section>
      </div>
    </>
  );
}
