import { number, observation, text } from '../../observation.ts';

export const syslogMessage = observation('syslog.message', 'A syslog message; its text stays inside.', {
  facility: number('Facility: 0 kernel, 4 and 10 security, 16 to 23 local'),
  severity: number('Severity: 0 emergency to 7 debug'),
  version: number('1 for RFC 5424, 0 for the older form'),
  host: text('Name of the host that logs'),
  app: text('Name of the program that logs'),
  bytes: number('Length of the message'),
});

export const syslogEvents = ['syslog_bad_header', 'syslog_long'] as const;
