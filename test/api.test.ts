/**
 * The API as it runs: a real child process on a free port and a socket in a temporary directory. It is
 * killed, starved, guarded and closed, as a bad night would.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { ask, askWorld, NoAgentError } from '../agent/api/client.ts';
import { type Api, type ApiCommand, openApi } from '../agent/api/feed.ts';
import type { ApiLimits } from '../agent/api/messages.ts';
import { type Config, NO_JUDGEMENT } from '../rules/config.ts';
import { ms, type Picture } from '../rules/model.ts';
import { richPicture, vitals } from './fakes/picture.ts';

const HANG_MS = 15_000;
/** Short where a test must wait for it; the order of the defaults is kept. */
const LIMITS: Partial<ApiLimits> = { listenPatienceMs: 200 };

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

/** Polls until the check gives a value; a hang bound, not a speed. */
async function until<T>(what: string, check: () => Promise<T | undefined>): Promise<T> {
  for (const deadline = performance.now() + HANG_MS; performance.now() < deadline; ) {
    const value = await check().catch(() => undefined);
    if (value !== undefined) return value;
    await wait(20);
  }
  throw new Error(`never came: ${what}`);
}

interface Reply {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

interface Opened {
  readonly api: Api;
  readonly port: number;
  readonly socketPath: string;
  readonly runDir: string;
  readonly troubles: string[];
  readonly commands: ApiCommand[];
  /** One request over TCP with exactly these headers. */
  readonly get: (path: string, headers?: Record<string, string>, method?: string) => Promise<Reply>;
  readonly childPid: () => number | undefined;
}

function send(
  port: number,
  path: string,
  headers: Record<string, string>,
  method: string,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port, path, method, headers, agent: false };
    request(options, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part) => {
        body += part;
      });
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
    })
      .on('error', reject)
      .end();
  });
}

/** The one child of this process with the API's title. */
function childPid(): number | undefined {
  const children = readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8');
  return children
    .trim()
    .split(' ')
    .map(Number)
    .find((pid) => pid > 0);
}

function config(port: number | undefined, runDir: string): Config {
  return {
    node: 'alpha',
    listen: port === undefined ? undefined : { host: '127.0.0.1', port },
    roots: { proc: '/proc', sys: '/sys', dev: '/dev', run: '/run' },
    stateDir: runDir,
    runDir,
    collectors: {},
    reach: [],
    switches: [],
    nodes: [],
    judgement: NO_JUDGEMENT,
    seriesMax: 10_000,
  };
}

async function opened(t: Test, limits: Partial<ApiLimits> = {}): Promise<Opened> {
  const runDir = mkdtempSync(join(tmpdir(), 'nospof-api-'));
  const port = await freePort();
  const troubles: string[] = [];
  const commands: ApiCommand[] = [];
  const api = await openApi({
    config: config(port, runDir),
    onCommand: async (command) => {
      commands.push(command);
      if (command.component === 'fan/none') throw new Error('fan/none is not known');
      return `forgot ${command.component}`;
    },
    onTrouble: (why) => troubles.push(why),
    limits: { ...LIMITS, ...limits },
  });
  t.teardown(async () => {
    await api.close();
    rmSync(runDir, { recursive: true });
  });
  return {
    api,
    port,
    socketPath: join(runDir, 'nospof.sock'),
    runDir,
    troubles,
    commands,
    get: (path, headers = {}, method = 'GET') => send(port, path, headers, method),
    childPid,
  };
}

function withHealth(of: Picture, component: string, health: 'ok' | 'failed'): Picture {
  return {
    ...of,
    at: ms(of.at + 1000),
    components: of.components.map((item) => (item.id === component ? { ...item, health } : item)),
  };
}

t.test('serves what was published', async (t) => {
  const { api, get, socketPath } = await opened(t);
  t.equal((await get('/healthz')).status, 503, 'not healthy before the first picture');
  t.equal((await get('/')).status, 503);
  t.equal((await get('/metrics')).status, 503);
  api.publish(richPicture(), vitals({ readyAt: undefined }), []);
  const page = await until('the page', async () => {
    const reply = await get('/');
    return reply.status === 200 ? reply : undefined;
  });
  t.match(page.body, '1 LOST, 3 EXPOSED');
  t.match(page.headers, {
    'content-security-policy': /default-src 'none'.*script-src 'sha256-/u,
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'content-type': 'text/html; charset=utf-8',
  });
  t.notOk(page.headers['access-control-allow-origin']);
  t.match(await get('/healthz'), { status: 200, body: 'ok: the agent speaks\n' });
  t.match(await get('/readyz'), { status: 503, body: /waiting for enclosure\/slots/u });
  t.match(await get('/metrics'), { status: 200, headers: { 'content-type': /^text\/plain/u } });
  const lost = await get('/nowhere');
  t.equal(lost.status, 404);
  t.match(lost.body, /GET \/metrics .*\nGET \/healthz/u, 'tells which paths there are');
  t.notMatch(lost.body, 'POST');

  const { world } = await askWorld(socketPath);
  t.strictSame(world.components, JSON.parse(JSON.stringify(richPicture().components)));
  t.match(world, { node: 'alpha', old: false, headline: /^1 LOST/u });

  api.publish(richPicture(), vitals(), []);
  await until('readiness', async () => ((await get('/readyz')).status === 200 ? true : undefined));
});

t.test('tells viewers of a change, and programs only what changed', async (t) => {
  const { api, port, socketPath } = await opened(t);
  const before = richPicture();
  api.publish(before, vitals(), []);
  await until('the page', async () => ((await askWorld(socketPath)).world ? true : undefined));
  let stream = '';
  const viewer = request({ host: '127.0.0.1', port, path: '/events', agent: false }, (response) => {
    t.equal(response.headers['content-type'], 'text/event-stream');
    response.setEncoding('utf8').on('data', (part) => {
      stream += part;
    });
    response.on('error', () => {});
  });
  viewer.on('error', () => {});
  viewer.end();
  t.teardown(() => viewer.destroy());
  await until('the first event', async () => /event: view\n.*\n\n/u.test(stream) || undefined);
  t.match(stream, /^retry: \d+\n\n/u);
  t.notMatch(stream, 'PSU 1</span> for');
  stream = '';
  api.publish(withHealth(before, 'psu/bmc/1', 'failed'), vitals(), []);
  const sections = await until('the change', async () =>
    [...stream.matchAll(/data: (.*)\n\n/gu)]
      .map(([, data]) => JSON.parse(data ?? '{}').sections)
      .find((news) => /✖ failed<\/span><\/td><td>PSU 1</u.test(news?.components ?? '')),
  );
  t.notOk('advice' in sections, 'what did not change is not sent');
  stream = '';
  await until('a beat or more news', async () => /event: (?:beat|view)/u.test(stream) || undefined);
});

t.test('a killed child comes back with the full picture, the agent goes on', async (t) => {
  const { api, socketPath, get, troubles, ...rest } = await opened(t);
  let newest = richPicture();
  api.publish(newest, vitals(), []);
  await until('the page', async () => ((await askWorld(socketPath)).world ? true : undefined));
  const pid = rest.childPid();
  t.ok(pid);
  if (pid !== undefined) process.kill(pid, 'SIGKILL');
  await until('the report', async () => troubles.length > 0 || undefined);
  t.match(troubles[0], /API process ended \(signal SIGKILL\); started again in 100 ms/u);
  newest = withHealth(newest, 'psu/bmc/1', 'failed');
  t.doesNotThrow(() => api.publish(newest, vitals(), []));
  const world = await until('the new child', async () => (await askWorld(socketPath)).world);
  t.strictSame(world.components, JSON.parse(JSON.stringify(newest.components)));
  t.equal(world.groups.length, newest.groups.length);
  t.equal((await get('/healthz')).status, 200, 'on the same port');
  t.not(rest.childPid(), pid);
});

t.test('a hung child is replaced', async (t) => {
  const { api, socketPath, troubles, ...rest } = await opened(t, { ackDeadlineMs: 300 });
  const pid = rest.childPid();
  if (pid !== undefined) process.kill(pid, 'SIGSTOP');
  api.publish(richPicture(), vitals(), []);
  await until('the report', async () => troubles.length > 0 || undefined);
  t.match(troubles[0], /no answer for 300 ms, killed/u);
  const world = await until('the new child', async () => (await askWorld(socketPath)).world);
  t.equal(world.components.length, richPicture().components.length);
});

t.test('a silent agent is served as old', async (t) => {
  const { api, get, socketPath } = await opened(t, { oldAfterMs: 300 });
  api.publish(richPicture(), vitals(), []);
  const health = await until('503', async () => {
    const reply = await get('/healthz');
    return reply.body.startsWith('old') ? reply : undefined;
  });
  t.match(health, { status: 503, body: /^old: the agent has said nothing for \d+ s\n$/u });
  t.match((await get('/')).body, '<p>OLD: the agent has said nothing');
  t.equal((await get('/metrics')).status, 503, 'an old picture is no metric');
  t.equal((await askWorld(socketPath)).world.old, true);
  api.publish(richPicture(), vitals(), []);
  await until('200', async () => ((await get('/healthz')).status === 200 ? true : undefined));
});

t.test('what is in the way is said in one sentence', async (t) => {
  const { port, runDir } = await opened(t);
  const other = mkdtempSync(join(tmpdir(), 'nospof-api-'));
  t.teardown(() => rmSync(other, { recursive: true }));
  const attempt = (of: Config): Promise<Api> =>
    openApi({ config: of, onCommand: async () => '', onTrouble: () => {}, limits: LIMITS });
  await t.rejects(attempt(config(port, other)), {
    message: `127.0.0.1:${port} is in use: stop the other program or set listen: in the configuration`,
  });
  t.notOk(existsSync(join(other, 'nospof.sock')), 'and nothing is left behind');
  await t.rejects(attempt(config(await freePort(), runDir)), {
    message: `${runDir}/nospof.sock: another nospof is already running and answers: stop it first`,
  });
  writeFileSync(join(other, 'nospof.sock'), 'not a socket');
  await t.rejects(attempt(config(undefined, other)), { message: /is no socket: remove it$/u });
  t.equal(readFileSync(join(other, 'nospof.sock'), 'utf8'), 'not a socket', 'left alone');
  await t.rejects(attempt(config(undefined, `/tmp/${'x'.repeat(120)}`)), {
    message: /longer than a socket's path may be/u,
  });
  await t.rejects(attempt({ ...config(1, other), listen: { host: '192.0.2.77', port } }), {
    message: /no socket/u,
  });
  rmSync(join(other, 'nospof.sock'));
  await t.rejects(attempt({ ...config(1, other), listen: { host: '192.0.2.77', port } }), {
    message: /^192\.0\.2\.77:\d+: this machine has no such address: correct listen:/u,
  });
});

t.test('the socket of a dead agent is replaced', async (t) => {
  const first = await opened(t);
  first.api.publish(richPicture(), vitals(), []);
  const pid = childPid();
  if (pid !== undefined) process.kill(pid, 'SIGKILL');
  await until('the report', async () => first.troubles.length > 0 || undefined);
  t.ok(statSync(first.socketPath).isSocket(), 'SIGKILL leaves the file');
  await until('the new child', async () => (await askWorld(first.socketPath)).world);
  t.equal(statSync(first.socketPath).mode & 0o777, 0o600);
});

t.test('guards on TCP', async (t) => {
  const { api, get, port, socketPath, commands } = await opened(t);
  api.publish(richPicture(), vitals(), []);
  await until('the page', async () => ((await askWorld(socketPath)).world ? true : undefined));
  t.equal((await get('/', { host: `localhost:${port}` })).status, 200);
  t.equal((await get('/', { host: 'evil.example' })).status, 403);
  t.equal((await get('/api/v1/world', { host: `evil.example:${port}` })).status, 403);
  t.equal((await get('/events', { 'sec-fetch-site': 'cross-site' })).status, 403);
  const post = await get('/api/v1/forget', {}, 'POST');
  t.match(post, { status: 405, headers: { allow: 'GET, HEAD' } });
  t.equal((await get('/', {}, 'DELETE')).status, 405);
  t.equal((await get('/', {}, 'HEAD')).status, 200);
  t.equal((await get('/', { 'x-long': 'x'.repeat(9000) })).status, 431);
  t.strictSame(commands, []);
});

t.test('commands on the socket', async (t) => {
  const { socketPath, commands } = await opened(t);
  const forget = (body: string): ReturnType<typeof ask> => ask(socketPath, '/api/v1/forget', body);
  t.match(await forget('{"component":"fan/x"}'), {
    status: 200,
    body: '{"answer":"forgot fan/x"}\n',
  });
  t.match(await forget('{"component":"fan/none"}'), {
    status: 409,
    body: '{"error":"fan/none is not known"}\n',
  });
  t.equal((await forget('{"component":""}')).status, 400);
  t.equal((await forget('{}')).status, 400);
  t.equal((await forget('{"component"')).status, 400);
  t.equal((await forget(`{"component":"${'x'.repeat(70_000)}"}`)).status, 413);
  t.strictSame(commands, [
    { verb: 'forget', component: 'fan/x' },
    { verb: 'forget', component: 'fan/none' },
  ]);
});

t.test('close leaves no child, no socket, and a free port', async (t) => {
  const { api, port, socketPath, troubles } = await opened(t);
  api.publish(richPicture(), vitals(), []);
  await until('the page', async () => ((await askWorld(socketPath)).world ? true : undefined));
  const viewer = connect(port, '127.0.0.1').on('error', () => {});
  viewer.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await new Promise((resolve) => viewer.once('data', resolve));
  await Promise.all([api.close(), api.close()]);
  t.equal(childPid(), undefined);
  t.notOk(existsSync(socketPath));
  t.ok((await askWorld(socketPath).catch((error) => error)) instanceof NoAgentError);
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject).listen(port, '127.0.0.1', resolve);
  });
  server.close();
  t.doesNotThrow(() => api.publish(richPicture(), vitals(), []), 'publishing late is harmless');
  t.strictSame(troubles, []);
});
