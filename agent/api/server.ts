/**
 * The routes, for one listener: TCP (reads only, guarded against foreign pages) or the unix socket (also
 * an operator's commands; the file's mode is the permission). It serves from memory what the agent told
 * last and says so when that is old; it reads nothing of the machine itself.
 */
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { safeJson, worldOf } from '../../exporters/status/json.ts';
import { pageHtml } from '../../exporters/status/page.ts';
import { viewOf } from '../../exporters/status/view.ts';
import { durationText } from '../../exporters/status/words.ts';
import { limitConnections } from './connections.ts';
import { foreignPage, hostAllowed, SECURITY_HEADERS } from './guard.ts';
import { MAINTENANCE_PATHS, serveMaintenance } from './maintenance.ts';
import { type ApiCommand, SERVICE_DEEDS, type ServiceDeed } from './messages.ts';
import type { ApiState, Known, MetricsSource } from './state.ts';
import { type Stream, VIEWERS_MAX } from './stream.ts';

const HEADERS_TIMEOUT_MS = 5_000;
const REQUEST_TIMEOUT_MS = 10_000;
/** Silence on a connection; a stream is never that silent. */
const IDLE_TIMEOUT_MS = 30_000;
const KEEP_ALIVE_MS = 5_000;
const CHECK_EVERY_MS = 1_000;
const HEADER_BYTES_MAX = 8 * 1024;
const BODY_BYTES_MAX = 64 * 1024;
export const CONNECTIONS_MAX = 64;
const REQUESTS_PER_CONNECTION_MAX = 1_000;
const COMPONENT_LENGTH_MAX = 512;
const WAITING_NAMED_MAX = 5;

const TEXT = 'text/plain; charset=utf-8';
const HTML = 'text/html; charset=utf-8';
const JSON_TYPE = 'application/json; charset=utf-8';

const PATHS: readonly string[] = [
  'GET /               the page',
  'GET /events         server-sent events of the page',
  'GET /metrics        Prometheus and OpenMetrics',
  'GET /healthz        200 while the agent speaks',
  'GET /readyz         200 once every source was read',
  'GET /api/v1/world   everything, as JSON',
];
const COMMAND_PATHS: readonly string[] = [
  'POST /api/v1/forget {"component": "..."}',
  'POST /api/v1/service {"deed": "start|stop|restart|clear", "service": "..."}',
  ...MAINTENANCE_PATHS,
];

/** Hands a command to the agent; rejects with what to tell the operator. */
export type Commander = (command: ApiCommand) => Promise<string>;

export interface ServerOptions {
  readonly state: ApiState;
  readonly metrics: MetricsSource;
  readonly stream: Stream;
  /** `tcp` with the configured host, or the unix socket with the taker of commands. */
  readonly side:
    | { readonly kind: 'tcp'; readonly host: string }
    | { readonly kind: 'unix'; readonly command: Commander };
}

function say(reply: FastifyReply, code: number, type: string, body: string): FastifyReply {
  return reply.code(code).type(type).send(body);
}

/** A text answer: the words and a newline, as `curl` users like it. */
function words(reply: FastifyReply, code: number, text: string): FastifyReply {
  return say(reply, code, TEXT, `${text}\n`);
}

function header(request: FastifyRequest, name: string): string | undefined {
  const value = request.headers[name];
  return typeof value === 'string' ? value : undefined;
}

function oldWords(known: Known): string {
  return `old: the agent has said nothing for ${durationText(known.ageMs)}`;
}
const STARTING = 'starting: the agent has not told anything yet';

function guardTcp(app: FastifyInstance, host: string): void {
  app.addHook('onRequest', async (request, reply) => {
    if (!hostAllowed(request.headers.host, host)) {
      return words(reply, 403, 'this listener answers to loopback names only, see the Host header');
    }
    if (foreignPage(header(request, 'sec-fetch-site'), header(request, 'sec-fetch-mode'))) {
      return words(reply, 403, 'not for pages of other sites');
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return words(
        reply.header('allow', 'GET, HEAD'),
        405,
        'TCP is read-only: use the unix socket',
      );
    }
  });
}

function servePage(app: FastifyInstance, { state, stream }: ServerOptions): void {
  app.get('/', async (_request, reply) => {
    const known = state.known();
    if (known === undefined) {
      const page = `<!doctype html><meta http-equiv="refresh" content="1"><title>nospof</title><p>${STARTING}`;
      return say(reply, 503, HTML, page);
    }
    const old = known.old ? known.ageMs : undefined;
    return say(reply, 200, HTML, pageHtml(viewOf(known.picture, known.vitals, old)));
  });
  app.get('/events', { exposeHeadRoute: false }, (_request, reply) => {
    if (stream.full()) {
      return words(reply, 503, `already ${VIEWERS_MAX} viewers: reload the page by hand`);
    }
    reply.hijack();
    reply.raw.writeHead(200, {
      ...SECURITY_HEADERS,
      'content-type': 'text/event-stream',
      connection: 'keep-alive',
    });
    stream.add(reply.raw);
    return reply;
  });
}

function serveHealth(app: FastifyInstance, { state }: ServerOptions): void {
  app.get('/healthz', async (_request, reply) => {
    const known = state.known();
    if (known === undefined) return words(reply, 503, STARTING);
    if (known.old) return words(reply, 503, oldWords(known));
    return words(reply, 200, 'ok: the agent speaks');
  });
  app.get('/readyz', async (_request, reply) => {
    const known = state.known();
    if (known === undefined) return words(reply, 503, STARTING);
    if (known.old) return words(reply, 503, oldWords(known));
    if (known.vitals.readyAt !== undefined) return words(reply, 200, 'ok: every source was read');
    const waiting = known.picture.sights.filter(({ state }) => state === 'waiting');
    const named: string[] = waiting.slice(0, WAITING_NAMED_MAX).map(({ id }) => id);
    if (waiting.length > named.length) named.push(`${waiting.length - named.length} more`);
    return words(reply, 503, `not ready: waiting for ${named.join(', ') || 'the first readings'}`);
  });
}

function serveData(app: FastifyInstance, { state, metrics }: ServerOptions): void {
  app.get('/metrics', async (request, reply) => {
    const known = state.known();
    // An old picture must not pass for a healthy one: the scrape fails, `up` is 0 and the series end.
    if (known === undefined) return words(reply, 503, STARTING);
    if (known.old) return words(reply, 503, oldWords(known));
    const { type, body } = await metrics.content(request.headers.accept);
    return say(reply, 200, type, body);
  });
  app.get('/api/v1/world', async (_request, reply) => {
    const known = state.known();
    if (known === undefined) return say(reply, 503, JSON_TYPE, safeJson({ error: STARTING }));
    const { picture, vitals, ageMs, old } = known;
    return say(reply, 200, JSON_TYPE, `${safeJson(worldOf(picture, vitals, ageMs, old))}\n`);
  });
}

const FORGET_SCHEMA = {
  body: {
    type: 'object',
    required: ['component'],
    additionalProperties: false,
    properties: {
      component: { type: 'string', minLength: 1, maxLength: COMPONENT_LENGTH_MAX },
    },
  },
} as const;

const SERVICE_SCHEMA = {
  body: {
    type: 'object',
    required: ['deed', 'service'],
    additionalProperties: false,
    properties: {
      deed: { enum: SERVICE_DEEDS },
      service: { type: 'string', minLength: 1, maxLength: COMPONENT_LENGTH_MAX },
    },
  },
} as const;

async function answerCommand(
  reply: FastifyReply,
  command: Commander,
  order: ApiCommand,
): Promise<FastifyReply> {
  try {
    return say(reply, 200, JSON_TYPE, `${safeJson({ answer: await command(order) })}\n`);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return say(reply, 409, JSON_TYPE, `${safeJson({ error: why })}\n`);
  }
}

function serveCommands(app: FastifyInstance, command: Commander): void {
  app.post<{ Body: { component: string } }>(
    '/api/v1/forget',
    { schema: FORGET_SCHEMA },
    async (request, reply) =>
      answerCommand(reply, command, { verb: 'forget', component: request.body.component }),
  );
  app.post<{ Body: { deed: ServiceDeed; service: string } }>(
    '/api/v1/service',
    { schema: SERVICE_SCHEMA },
    async (request, reply) => answerCommand(reply, command, { verb: 'service', ...request.body }),
  );
  serveMaintenance(app, (reply, order) => answerCommand(reply, command, order));
}

/** A server that does not listen yet. */
export function buildServer(options: ServerOptions): FastifyInstance {
  const app = Fastify({
    logger: false,
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_TIMEOUT_MS,
    connectionTimeout: IDLE_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxRequestsPerSocket: REQUESTS_PER_CONNECTION_MAX,
    forceCloseConnections: true,
    http: {
      headersTimeout: HEADERS_TIMEOUT_MS,
      connectionsCheckingInterval: CHECK_EVERY_MS,
      maxHeaderSize: HEADER_BYTES_MAX,
    },
  });
  limitConnections(app.server, CONNECTIONS_MAX);
  const { side } = options;
  const paths = side.kind === 'unix' ? [...PATHS, ...COMMAND_PATHS] : PATHS;
  app.addHook('onRequest', async (_request, reply) => {
    reply.headers(SECURITY_HEADERS);
  });
  if (side.kind === 'tcp') guardTcp(app, side.host);
  app.setNotFoundHandler((_request, reply) =>
    words(reply, 404, `no such path; there are:\n${paths.join('\n')}`),
  );
  app.setErrorHandler((error: { statusCode?: number; message: string }, _request, reply) => {
    const code = error.statusCode ?? 500;
    return words(reply, code, code < 500 ? error.message : 'internal error of the API process');
  });
  servePage(app, options);
  serveHealth(app, options);
  serveData(app, options);
  if (side.kind === 'unix') serveCommands(app, side.command);
  return app;
}
