import { tame } from '../lib/tame.ts';

/** Lines as a table for people, or as one JSON object a line. */
export function printTable(lines: readonly Record<string, string | number>[], json: boolean): void {
  if (json) {
    for (const line of lines) process.stdout.write(`${JSON.stringify(line)}\n`);
    return;
  }
  const first = lines[0];
  if (first === undefined) {
    process.stdout.write('none\n');
    return;
  }
  const rows = [
    Object.keys(first).map((name) => name.toUpperCase().replaceAll('_', ' ')),
    ...lines.map((line) => Object.values(line).map((value) => (value === '' ? '-' : tame(String(value), 60)))),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((cells) => cells[column]!.length)));
  for (const cells of rows)
    process.stdout.write(
      `${cells
        .map((cell, i) => cell.padEnd(widths[i]!))
        .join('  ')
        .trimEnd()}\n`,
    );
}
