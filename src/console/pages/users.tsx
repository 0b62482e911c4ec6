import { useState } from 'preact/hooks';
import { apiPath, RequestError, sendJson } from '../api.ts';
import { Field, Form } from '../parts/form.tsx';
import { Failure, Loading } from '../parts/states.tsx';
import { useResource } from '../resource.ts';
import { time } from '../site.ts';
import type { OncePassword, UserList } from '../../api/schemas-access.ts';

const ROLES = ['viewer', 'analyst', 'engineer', 'admin'] as const;
type UserRow = UserList['rows'][number];

const listOf = (text: string): string[] | null => {
  const names = text.split(',').map((name) => name.trim());
  const named = names.filter((name) => name !== '');
  return named.length === 0 ? null : named;
};

/** Asks what VLANs and sites a user may see. */
function ScopeForm({ user, sites, done }: { user: UserRow; sites: string[]; done: () => void }) {
  const send = async ({ vlans = '', sites: named = '' }: Record<string, string>): Promise<void> => {
    await sendJson('PATCH', `/users/${encodeURIComponent(user.name)}`, { vlans: listOf(vlans), sites: listOf(named) });
    done();
  };
  return (
    <Form label={`What ${user.name} may see`} button="Save" send={send}>
      <Field
        label="Only these VLANs"
        name="vlans"
        optional
        value={user.vlans?.join(', ') ?? ''}
        hint="With commas between; all when both fields are empty."
      />
      {sites.length > 0 && (
        <Field
          label="Only these sites"
          name="sites"
          optional
          value={user.sites?.join(', ') ?? ''}
          hint={`There are ${sites.join(', ')}.`}
        />
      )}
    </Form>
  );
}

/** Users: who there is, what they may do and see. For admins. */
export function UsersPage() {
  const list = useResource<UserList>(apiPath('/users'));
  const [once, setOnce] = useState<OncePassword | undefined>();
  const [problem, setProblem] = useState<RequestError | undefined>();
  const [scoped, setScoped] = useState('');
  if (list.error && !list.data) return <Failure error={list.error} retry={list.reload} />;
  if (!list.data) return <Loading />;
  const { rows, sites } = list.data;
  const act = (work: Promise<unknown>): void =>
    void work.then(
      () => {
        setProblem(undefined);
        list.reload();
      },
      (error: unknown) => {
        if (error instanceof RequestError) setProblem(error);
        list.reload();
      },
    );
  const path = (user: UserRow): string => `/users/${encodeURIComponent(user.name)}`;
  const add = async ({ name = '', role = '' }: Record<string, string>): Promise<void> => {
    setOnce(await sendJson<OncePassword>('POST', '/users', { name, role }));
    list.reload();
  };
  const open = rows.find((row) => row.name === scoped);
  return (
    <>
      <div class="heading">
        <h1>Users</h1>
      </div>
      <div aria-live="assertive">
        {problem && (
          <div class="notice notice-bad">
            <strong>{problem.message}</strong>
            {problem.remedy && <p>{problem.remedy}</p>}
          </div>
        )}
      </div>
      {once && (
        <div class="notice" role="status">
          <strong>Password of {once.name} for one sign-in. It is not shown again.</strong>
          <p class="secret mono">{once.password}</p>
          <button type="button" onClick={() => setOnce(undefined)}>
            I have passed it on
          </button>
        </div>
      )}
      <div class="scroll card" role="region" aria-label="Users" tabIndex={0}>
        <table class="grid">
          <thead>
            <tr>
              <th scope="col">Name</th>
              <th scope="col">Role</th>
              <th scope="col">Sees</th>
              <th scope="col">Second factor</th>
              <th scope="col">Last sign-in</th>
              <th scope="col">
                <span class="visually-hidden">Acts</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((user) => (
              <tr key={user.name} class={user.disabled ? 'stale' : undefined}>
                <td>
                  {user.name}
                  {user.disabled && <span class="tag">disabled</span>}
                  {user.must_change && <span class="tag">not signed in yet</span>}
                </td>
                <td>
                  {user.source === 'oidc' ? (
                    <span title="By groups at the provider">{user.role}</span>
                  ) : (
                    <select
                      aria-label={`Role of ${user.name}`}
                      value={user.role}
                      onChange={(event) => act(sendJson('PATCH', path(user), { role: event.currentTarget.value }))}
                    >
                      {ROLES.map((role) => (
                        <option key={role}>{role}</option>
                      ))}
                    </select>
                  )}
                </td>
                <td>
                  <button
                    type="button"
                    class="quiet"
                    aria-label={`What ${user.name} sees`}
                    onClick={() => setScoped(user.name)}
                  >
                    {user.vlans === null && user.sites === null
                      ? 'everything'
                      : [...(user.sites ?? []), ...(user.vlans ?? []).map((vlan) => `VLAN ${vlan || 'untagged'}`)].join(
                          ', ',
                        ) || 'nothing'}
                  </button>
                </td>
                <td>{user.source === 'oidc' ? 'at the provider' : user.second_factor ? 'yes' : 'no'}</td>
                <td class="nowrap">{user.signed_in === null ? 'never' : time.value.full(user.signed_in)}</td>
                <td class="nowrap">
                  <button
                    type="button"
                    aria-label={`${user.disabled ? 'Enable' : 'Disable'} ${user.name}`}
                    onClick={() => act(sendJson('PATCH', path(user), { disabled: !user.disabled }))}
                  >
                    {user.disabled ? 'Enable' : 'Disable'}
                  </button>{' '}
                  {user.source === 'local' && (
                    <button
                      type="button"
                      aria-label={`Reset ${user.name}`}
                      title="A new password for one sign-in; second factor and sessions end"
                      onClick={() => act(sendJson<OncePassword>('POST', `${path(user)}/reset`).then(setOnce))}
                    >
                      Reset
                    </button>
                  )}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <div class="cards">
        {open && (
          <section class="card">
            <h2>What {open.name} may see</h2>
            <ScopeForm
              key={open.name}
              user={open}
              sites={sites}
              done={() => {
                setScoped('');
                list.reload();
              }}
            />
          </section>
        )}
        <section class="card">
          <h2>New user</h2>
          <Form label="New user" button="Add the user" send={add} empties>
            <Field label="Name" name="name" />
            <div class="field">
              <label for="field-role">Role</label>
              <select id="field-role" name="role">
                {ROLES.map((role) => (
                  <option key={role}>{role}</option>
                ))}
              </select>
            </div>
          </Form>
        </section>
      </div>
    </>
  );
}
