/** The unix socket's routes for maintenance: shapes and lengths are checked here, sense by the agent. */
import type { FastifyInstance, FastifyReply } from 'fastify';
import type { MaintenanceCommand } from '../maintenance.ts';
import type { ApiCommand } from './messages.ts';

const TEXT_LENGTH_MAX = 500;
const SCOPE_LENGTH_MAX = 512;

export const MAINTENANCE_PATHS: readonly string[] = [
  'POST /api/v1/maintenance/begin {"owner": "...", "reason": "...", "scope": "*", "forMs": 3600000}',
  'POST /api/v1/maintenance/end {"by": "...", "scope": "*"}',
];

const text = { type: 'string', minLength: 1, maxLength: TEXT_LENGTH_MAX } as const;
const scope = { type: 'string', minLength: 1, maxLength: SCOPE_LENGTH_MAX } as const;

const BEGIN_SCHEMA = {
  body: {
    type: 'object',
    required: ['owner', 'reason', 'scope', 'forMs'],
    additionalProperties: false,
    properties: { owner: text, reason: text, scope, forMs: { type: 'number', minimum: 1 } },
  },
} as const;

const END_SCHEMA = {
  body: {
    type: 'object',
    required: ['by'],
    additionalProperties: false,
    properties: { by: text, scope },
  },
} as const;

type Fields<V extends MaintenanceCommand['verb']> = Omit<
  Extract<MaintenanceCommand, { verb: V }>,
  'verb'
>;

/** `answer` hands a command to the agent and replies with what came of it. */
export function serveMaintenance(
  app: FastifyInstance,
  answer: (reply: FastifyReply, command: ApiCommand) => Promise<FastifyReply>,
): void {
  app.post<{ Body: Fields<'begin-maintenance'> }>(
    '/api/v1/maintenance/begin',
    { schema: BEGIN_SCHEMA },
    async ({ body }, reply) => answer(reply, { verb: 'begin-maintenance', ...body }),
  );
  app.post<{ Body: Fields<'end-maintenance'> }>(
    '/api/v1/maintenance/end',
    { schema: END_SCHEMA },
    async ({ body }, reply) => answer(reply, { verb: 'end-maintenance', ...body }),
  );
}
