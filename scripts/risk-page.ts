import * as risk from '../src/identity/risk.ts';

/** docs/explanation/risk.md, from the tables that the program computes with. */
export function riskPage(notice: string): string {
  const table = (head: string[], rows: (string | number)[][]): string[] => [
    `| ${head.join(' | ')} |`,
    `| ${head.map(() => '---').join(' | ')} |`,
    ...rows.map((row) => `| ${row.join(' | ')} |`),
    '',
  ];
  const { EXPOSURE: exposure, EXTERNAL: external, SMB1: smb1 } = risk;
  return [
    notice,
    '',
    '# Risk of a device',
    '',
    'After ISO 14971: `score = severity × likelihood / 100`, both 0 to 100. Severity is the highest of its parts,',
    'likelihood the sum of its parts. Every part is shown with the device.',
    '',
    '## Severity',
    '',
    ...table(['worst harm of a fault', 'points'], Object.entries(risk.HARM_POINTS)),
    ...table(
      ['also', 'points at least'],
      Object.values(risk.SEVERITY_FLOORS).map((f) => [f.because, f.points]),
    ),
    `A device of unknown class counts ${risk.UNKNOWN_SEVERITY}: it may be anything.`,
    '',
    '## Likelihood',
    '',
    ...table(
      ['part', 'points'],
      [
        ['every device', risk.BASE_LIKELIHOOD],
        ...Object.values(risk.WEAK_SERVICES).map((w) => [w.because, w.points]),
        [smb1.because, smb1.points],
        ['weak protocols together at most', risk.MAX_WEAK],
        [
          'each service offered, each peer that comes',
          `${exposure.perService}, ${exposure.perPeer}, at most ${exposure.max}`,
        ],
        ['peers outside of the site', `${external.any} and ${external.perPeer} each, at most ${external.max}`],
        ['reached from outside', external.incoming],
        ['system without security updates', risk.OLD_SYSTEM_POINTS],
        ...Object.entries(risk.ALERT_POINTS).map(([s, p]) => [
          `alert of severity ${s} within ${risk.ALERT_DAYS} days`,
          p,
        ]),
        ['unknown class', risk.UNKNOWN_POINTS],
      ],
    ),
    '## Levels',
    '',
    ...table(
      ['level', 'from'],
      risk.LEVELS.map((l) => [l.name, l.from]),
    ),
    '## Systems without security updates',
    '',
    ...table(
      ['system', 'version holds', 'ended'],
      risk.OLD_SYSTEMS.map((s) => [s.os, s.version.join(', '), s.ended]),
    ),
    'Closing an alert does not lower the points before its days are over.',
    '',
  ].join('\n');
}
