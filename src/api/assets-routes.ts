import type { FastifyInstance } from 'fastify';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Assets } from '../desk/assets.ts';
import { json } from './answers.ts';

/** A list of 100,000 assets is some 12 MB. */
const MAX_BODY = 32 * 1024 * 1024;

const column = Type.Optional(Type.String({ minLength: 1, maxLength: 100 }));
const importSchema = Type.Object(
  {
    csv: Type.String({ maxLength: MAX_BODY, description: 'The file in base64, in whatever encoding it has.' }),
    dry_run: Type.Boolean({ default: true, description: 'Only say what would change.' }),
    columns: Type.Object(
      {
        tag: column,
        mac: column,
        serial: column,
        name: column,
        owner: column,
        room: column,
        criticality: column,
        contact: column,
      },
      {
        default: {},
        additionalProperties: false,
        description: 'Which column holds a field, where its name is unusual.',
      },
    ),
  },
  { title: 'AssetImportRequest', additionalProperties: false },
);
const resultSchema = Type.Object(
  {
    added: Type.Integer(),
    changed: Type.Integer(),
    same: Type.Integer(),
    problems: Type.Array(
      Type.Object({
        line: Type.Integer(),
        text: Type.String({ description: 'What is wrong and what would be right.' }),
      }),
    ),
    ignored: Type.Array(Type.String(), { description: 'Columns that nothing was taken from.' }),
  },
  { title: 'AssetImport' },
);

/** Assets of the site's maintenance system. */
export function registerAssetsRoutes(scope: FastifyInstance, assets: Assets): void {
  const app = scope.withTypeProvider<TypeBoxTypeProvider>();
  app.post(
    '/assets/import',
    {
      bodyLimit: MAX_BODY,
      config: { access: { role: 'engineer', audit: 'assets.imported' } },
      schema: {
        operationId: 'importAssets',
        summary: 'Take in a CSV file of assets; right lines are taken, wrong ones told of',
        tags: ['devices'],
        body: importSchema,
        response: json(resultSchema, 'What changed'),
      },
    },
    async (request) => {
      const { csv, dry_run: dryRun, columns } = request.body;
      const result = assets.importCsv(Buffer.from(csv, 'base64'), request.who.name, Date.now(), dryRun, columns);
      request.auditDetail = `${dryRun ? 'dry run, ' : ''}${result.added} added, ${result.changed} changed`;
      return { ...result, problems: [...result.problems], ignored: [...result.ignored] };
    },
  );
}
