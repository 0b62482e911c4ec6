import { signal } from '@preact/signals';

export type Page =
  | 'overview'
  | 'alerts'
  | 'alert'
  | 'devices'
  | 'device'
  | 'changes'
  | 'data-flows'
  | 'incidents'
  | 'incident'
  | 'rules'
  | 'account'
  | 'users'
  | 'audit'
  | 'sign-in'
  | 'unknown';
export interface Route {
  page: Page;
  /** Uid of the alert or key of the device. */
  id: string;
  query: URLSearchParams;
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function parse(): Route {
  const [, section = '', id = '', more] = location.pathname.split('/');
  const query = new URLSearchParams(location.search);
  if (section === '') return { page: id === '' ? 'overview' : 'unknown', id: '', query };
  if (more === undefined && section === 'rules' && id === '') return { page: 'rules', id: '', query };
  if (more === undefined && section === 'incidents')
    return { page: id ? 'incident' : 'incidents', id: decode(id), query };
  if (id === '' && (section === 'account' || section === 'users' || section === 'audit' || section === 'sign-in'))
    return { page: section, id: '', query };
  if (more === undefined && id === '' && (section === 'changes' || section === 'data-flows'))
    return { page: section, id: '', query };
  if (more !== undefined || (section !== 'alerts' && section !== 'devices')) {
    return { page: 'unknown', id: '', query };
  }
  if (section === 'devices') return { page: id ? 'device' : 'devices', id: decode(id), query };
  return { page: id ? 'alert' : 'alerts', id: decode(id), query };
}

export const route = signal<Route>(parse());

export function startRouter(): void {
  addEventListener('popstate', () => {
    route.value = parse();
  });
}

/** Goes to a path of the console; `replace` leaves no trace in the history. */
export function go(path: string, replace = false): void {
  if (replace) history.replaceState(null, '', path);
  else history.pushState(null, '', path);
  const before = route.value;
  route.value = parse();
  if (before.page !== route.value.page || before.id !== route.value.id) scrollTo(0, 0);
}

/** The same page with other parameters; empty values are left out. */
export function withQuery(changes: Record<string, string | undefined>): string {
  const query = new URLSearchParams(route.value.query);
  for (const [name, value] of Object.entries(changes)) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  const text = query.toString();
  return `${location.pathname}${text ? `?${text}` : ''}`;
}

export const alertPath = (uid: string): string => `/alerts/${encodeURIComponent(uid)}`;
export const devicePath = (key: string): string => `/devices/${encodeURIComponent(key)}`;
export const incidentPath = (id: number): string => `/incidents/${id}`;
