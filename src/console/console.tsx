import { useEffect, useState } from 'preact/hooks';
import { useKeys } from './keys.ts';
import { connection, overview } from './live.ts';
import { AccountPage } from './pages/account.tsx';
import { AlertPage } from './pages/alert.tsx';
import { AlertsPage } from './pages/alerts.tsx';
import { AuditPage } from './pages/audit.tsx';
import { ChangesPage } from './pages/changes.tsx';
import { DataFlowsPage } from './pages/data-flows.tsx';
import { DevicePage } from './pages/device.tsx';
import { DevicesPage } from './pages/devices.tsx';
import { IncidentPage, IncidentsPage } from './pages/incidents.tsx';
import { OverviewPage } from './pages/overview.tsx';
import { RulesPage } from './pages/rules.tsx';
import { ExpiredDialog, PendingPage, SignInPage } from './pages/sign-in.tsx';
import { UsersPage } from './pages/users.tsx';
import { Help } from './parts/help.tsx';
import { Link } from './parts/link.tsx';
import { Failure, Loading, Missing } from './parts/states.tsx';
import { Banners, Strip } from './parts/strip.tsx';
import { Toasts } from './parts/toasts.tsx';
import { go, route } from './router.ts';
import type { Page } from './router.ts';
import { checkSession, expired, may, session, sessionError } from './session.ts';
import { nextTheme, theme } from './theme.ts';
import { undoLast } from './triage.ts';

const CONNECTION_TEXT = { connecting: 'Connecting', open: 'Live', lost: 'Disconnected' };
const THEME_TEXT = { auto: 'Auto', light: 'Light', dark: 'Dark' };

function CurrentPage() {
  const { page, id } = route.value;
  switch (page) {
    // Who is signed in already has nothing to do at the sign-in.
    case 'sign-in':
    case 'overview':
      return <OverviewPage />;
    case 'alerts':
      return <AlertsPage />;
    case 'alert':
      return <AlertPage key={id} uid={id} />;
    case 'devices':
      return <DevicesPage />;
    case 'changes':
      return <ChangesPage />;
    case 'data-flows':
      return <DataFlowsPage />;
    case 'device':
      return <DevicePage key={id} deviceKey={id} />;
    case 'account':
      return <AccountPage />;
    case 'users':
      return may('admin') ? <UsersPage /> : <Missing what="page" back="/" backText="To the overview" />;
    case 'audit':
      return may('admin') ? <AuditPage /> : <Missing what="page" back="/" backText="To the overview" />;
    case 'incidents':
      return <IncidentsPage />;
    case 'incident':
      return <IncidentPage key={id} id={Number(id)} />;
    case 'rules':
      return <RulesPage />;
    case 'unknown':
      return <Missing what="page" back="/" backText="To the overview" />;
  }
}

/** The sign-in, or what it leads to. */
export function Console() {
  const info = session.value;
  if (info === undefined)
    return (
      <main id="main" class="entrance">
        {sessionError.value ? (
          <Failure error={sessionError.value} retry={() => void checkSession()} />
        ) : (
          <Loading lines={3} />
        )}
      </main>
    );
  if (info.user === null) return <SignInPage info={info} />;
  if (info.user.pending !== null) return <PendingPage info={info} />;
  return <Desk />;
}

const TITLES: Record<Page, string> = {
  overview: 'Overview',
  'sign-in': 'Overview',
  alerts: 'Alerts',
  alert: 'Alert',
  unknown: 'No such page',
  changes: 'Changes',
  'data-flows': 'Data flows',
  incidents: 'Incidents',
  incident: 'Incident',
  rules: 'Rules',
  devices: 'Devices',
  device: 'Device',
  account: 'Account',
  users: 'Users',
  audit: 'Audit log',
};

function Desk() {
  const [helpOpen, setHelpOpen] = useState(false);
  const { page } = route.value;
  const user = session.value?.user;
  useKeys({
    '?': () => setHelpOpen(true),
    o: () => go('/'),
    q: () => go('/alerts'),
    i: () => go('/incidents'),
    r: () => go('/rules'),
    z: undoLast,
    d: () => go('/devices'),
  });
  const urgent = (overview.value?.alerts_by_severity['5'] ?? 0) + (overview.value?.alerts_by_severity['4'] ?? 0);
  useEffect(() => {
    const name = TITLES[page];
    document.title = urgent > 0 ? `(${urgent}) ${name} · Wardwatch` : `${name} · Wardwatch`;
  }, [page, urgent]);

  return (
    <>
      <a class="skip" href="#main">
        To the content
      </a>
      <header class="top">
        <Link to="/" class="brand" label="Wardwatch, to the overview">
          <svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true">
            <path d="M16 2 4 6.500v8.600C4 22.400 9 28 16 30c7-2 12-7.600 12-14.900V6.500z" class="brand-shield" />
            <path d="M6.500 17H12l2.500-7 4 12 2.500-5h4.500" class="brand-line" />
          </svg>
          <span>Wardwatch</span>
        </Link>
        <nav aria-label="Main">
          <Link to="/" current={page === 'overview'}>
            Overview
          </Link>
          <Link to="/alerts" current={page === 'alerts' || page === 'alert'}>
            Alerts
          </Link>
          <Link to="/incidents" current={page === 'incidents' || page === 'incident'}>
            Incidents
          </Link>
          <Link to="/rules" current={page === 'rules'}>
            Rules
          </Link>
          <Link to="/devices" current={page === 'devices' || page === 'device'}>
            Devices
          </Link>
          <Link to="/data-flows" current={page === 'data-flows'}>
            Data flows
          </Link>
          <Link to="/changes" current={page === 'changes'}>
            Changes
          </Link>
          {may('admin') && session.value?.sign_in === 'required' && (
            <Link to="/users" current={page === 'users'}>
              Users
            </Link>
          )}
          {may('admin') && (
            <Link to="/audit" current={page === 'audit'}>
              Audit
            </Link>
          )}
        </nav>
        <div class="top-right">
          <span class={`connection connection-${connection.value}`} role="status">
            {CONNECTION_TEXT[connection.value]}
          </span>
          <Link to="/account" class="account" current={page === 'account'} label={`Account of ${user?.name ?? ''}`}>
            {user?.name}
          </Link>
          <button type="button" class="quiet" onClick={nextTheme} aria-label={`Colours: ${THEME_TEXT[theme.value]}`}>
            <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
              <path d="M8 1a7 7 0 1 0 0 14A7 7 0 0 0 8 1zm0 1.500v11a5.500 5.500 0 0 1 0-11z" fill="currentColor" />
            </svg>
            <span class="wide">{THEME_TEXT[theme.value]}</span>
          </button>
          <button type="button" class="quiet" onClick={() => setHelpOpen(true)} aria-label="Keys and help">
            <kbd>?</kbd>
          </button>
        </div>
      </header>
      <section aria-label="State of Wardwatch">
        <Strip />
        {user?.source === 'open' && <p class="banner">Sign-in is off: everybody at this machine is an admin.</p>}
        <Banners />
      </section>
      <main id="main" tabIndex={-1}>
        <CurrentPage />
      </main>
      <Toasts />
      {helpOpen && <Help close={() => setHelpOpen(false)} />}
      {expired.value && <ExpiredDialog />}
    </>
  );
}
