export { apiConfigSchema } from './config.ts';
export type { ApiConfig } from './config.ts';
export type { ApiDeps, DetectorStatus, LiveEvent, PipelineStatus, Readiness } from './contract.ts';
export { createApiServer } from './server.ts';
export type { ApiServer } from './server.ts';
