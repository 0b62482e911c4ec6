import type { Technique } from '../../src/detect/sdk.ts';

/**
 * What a DCE/RPC call does to the Windows host that gets it.
 * `execution`: it runs or prepares programs there. `takeover`: it takes secrets, forces logins, wipes traces or
 * changes accounts. `power`: it restarts or shuts down. `discovery`: it only asks.
 */
export type Effect = 'execution' | 'takeover' | 'power' | 'discovery';

export interface Operation {
  readonly effect: Effect;
  /** What the client does, as the rest of a sentence: `creates a service`. */
  readonly does: string;
  readonly technique: Technique;
}

const enterprise = (id: string, name: string): Technique => ({ id, name, matrix: 'enterprise' });

const SERVICE = enterprise('T1569.002', 'Service Execution');
const TASK = enterprise('T1053.005', 'Scheduled Task');
const WMI = enterprise('T1047', 'Windows Management Instrumentation');
const DCOM = enterprise('T1021.003', 'Distributed Component Object Model');
const DCSYNC = enterprise('T1003.006', 'DCSync');
const SECRETS = enterprise('T1003.004', 'LSA Secrets');
const COERCION = enterprise('T1187', 'Forced Authentication');
const LOGS = enterprise('T1070.001', 'Clear Windows Event Logs');
const REGISTRY = enterprise('T1112', 'Modify Registry');
const SHUTDOWN = enterprise('T1529', 'System Shutdown/Reboot');
const ACCOUNTS = enterprise('T1087', 'Account Discovery');
const SHARES = enterprise('T1135', 'Network Share Discovery');
const USERS = enterprise('T1033', 'System Owner/User Discovery');
const SERVICES = enterprise('T1046', 'Network Service Discovery');
const CHANGE_ACCOUNT = enterprise('T1098', 'Account Manipulation');

/** By interface and operation number (MS-SCMR, MS-TSCH, MS-WMI, MS-DRSR, MS-LSAD, MS-BKRP, MS-RPRN, MS-EFSR, MS-SAMR, …). */
const OPERATIONS: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ...[12, 24, 44, 45, 60].map(
    (n) => [`svcctl ${n}`, { effect: 'execution', does: 'creates a service', technique: SERVICE }] as const,
  ),
  ...[11, 23].map(
    (n) => [`svcctl ${n}`, { effect: 'execution', does: 'changes what a service runs', technique: SERVICE }] as const,
  ),
  ...[19, 31].map(
    (n) => [`svcctl ${n}`, { effect: 'execution', does: 'starts a service', technique: SERVICE }] as const,
  ),
  ...[1, 2].map(
    (n) => [`svcctl ${n}`, { effect: 'execution', does: 'stops or removes a service', technique: SERVICE }] as const,
  ),
  ['atsvc 0', { effect: 'execution', does: 'schedules a task', technique: TASK }],
  ['ITaskSchedulerService 1', { effect: 'execution', does: 'schedules a task', technique: TASK }],
  ['ITaskSchedulerService 12', { effect: 'execution', does: 'runs a task', technique: TASK }],
  ...[24, 25].map(
    (n) => [`IWbemServices ${n}`, { effect: 'execution', does: 'runs a method by WMI', technique: WMI }] as const,
  ),
  ...[14, 15].map(
    (n) => [`IWbemServices ${n}`, { effect: 'execution', does: 'plants an object by WMI', technique: WMI }] as const,
  ),
  ['IDispatch 6', { effect: 'execution', does: 'calls a method by DCOM', technique: DCOM }],
  ...[6, 7, 8, 22].map(
    (n) => [`winreg ${n}`, { effect: 'execution', does: 'changes the registry', technique: REGISTRY }] as const,
  ),
  ['drsuapi 3', { effect: 'takeover', does: 'copies the directory with its password hashes', technique: DCSYNC }],
  ['lsarpc 43', { effect: 'takeover', does: 'reads a secret of the system', technique: SECRETS }],
  ['BackupKey 0', { effect: 'takeover', does: 'fetches the backup key of protected data', technique: SECRETS }],
  ...[62, 65].map(
    (n) =>
      [
        `spoolss ${n}`,
        { effect: 'takeover', does: 'makes the host log in elsewhere (print spooler)', technique: COERCION },
      ] as const,
  ),
  ['spoolss 89', { effect: 'execution', does: 'installs a printer driver', technique: SERVICE }],
  ...[0, 4, 5, 6, 7].map(
    (n) =>
      [
        `efsrpc ${n}`,
        { effect: 'takeover', does: 'makes the host log in elsewhere (EFS)', technique: COERCION },
      ] as const,
  ),
  ['eventlog 0', { effect: 'takeover', does: 'clears an event log', technique: LOGS }],
  ['eventlog6 6', { effect: 'takeover', does: 'clears an event log', technique: LOGS }],
  ['netlogon 30', { effect: 'takeover', does: 'sets the password of a computer account', technique: CHANGE_ACCOUNT }],
  ...[0, 1, 2].map(
    (n) => [`InitShutdown ${n}`, { effect: 'power', does: 'shuts down or restarts', technique: SHUTDOWN }] as const,
  ),
  ...[0, 1, 2].map(
    (n) => [`WindowsShutdown ${n}`, { effect: 'power', does: 'shuts down or restarts', technique: SHUTDOWN }] as const,
  ),
  ['samr 13', { effect: 'discovery', does: 'lists the accounts', technique: ACCOUNTS }],
  ['samr 25', { effect: 'discovery', does: 'lists the members of a group', technique: ACCOUNTS }],
  ['srvsvc 12', { effect: 'discovery', does: 'lists who is connected', technique: USERS }],
  ['wkssvc 2', { effect: 'discovery', does: 'lists who is logged in', technique: USERS }],
  ['srvsvc 15', { effect: 'discovery', does: 'lists the shares', technique: SHARES }],
  ['epmapper 2', { effect: 'discovery', does: 'lists the RPC services', technique: SERVICES }],
]);

export function operationOf(interfaceName: string, opnum: number): Operation | undefined {
  return OPERATIONS.get(`${interfaceName} ${opnum}`);
}

/** Netlogon authentication (MS-NRPC 3.5.4.4.2): repeated by the thousand it breaks CVE-2020-1472. */
export function isNetlogonLogin(interfaceName: string, opnum: number): boolean {
  return interfaceName === 'netlogon' && (opnum === 5 || opnum === 15 || opnum === 26);
}
