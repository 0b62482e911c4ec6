import { EXIT } from '../kernel/errors.ts';
import type { AuditOptions } from './audit.ts';
import { printTable } from './table.ts';
import { operator, withAccess } from './users-action.ts';

/** What `wardwatch audit …` does, by the name of the command. */
export const auditActions = {
  verify: (options: AuditOptions) =>
    withAccess(options, (access) => {
      const verdict = access.audit.verify(options.head);
      if (verdict.ok) {
        process.stdout.write(`all ${verdict.head.seq} entries are as they were written\n`);
        process.stdout.write(`head ${verdict.head.seq}:${verdict.head.hash}\n`);
        if (!verdict.keyed)
          process.stderr.write(
            'there is no key (access.audit_key_file): whoever may write the desk could have written all of it anew\n',
          );
        return;
      }
      process.stderr.write(`wardwatch: entry ${verdict.seq} of the audit log: ${verdict.fault}\n`);
      process.exitCode = EXIT.failed;
    }),

  export: (options: AuditOptions) =>
    withAccess(options, (access) => {
      access.audit.write({ who: operator(), act: 'audit.exported', outcome: 'done' });
      for (const line of access.audit.lines()) process.stdout.write(line);
    }),

  tail: (options: AuditOptions) =>
    withAccess(options, (access) => {
      const entries = access.audit.list(options.limit ?? 20).reverse();
      printTable(
        entries.map(({ seq, at, who, act, object, outcome, detail, address }) => ({
          seq,
          time: new Date(at).toISOString(),
          who,
          act,
          object,
          outcome,
          detail,
          address,
        })),
        options.json === true,
      );
    }),
};
