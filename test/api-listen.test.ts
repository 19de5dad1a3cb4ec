/**
 * Where and to whom the API listens: what is in the way of a port or socket, what TCP refuses, how many
 * connections it bears, and what closing leaves behind.
 */

import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { ask, askWorld, NoAgentError } from '../agent/api/client.ts';
import { type Api, openApi } from '../agent/api/feed.ts';
import { CONNECTIONS_MAX } from '../agent/api/server.ts';
import type { Config } from '../rules/config.ts';
import { childPid, config, freePort, LIMITS, opened, until } from './fakes/api.ts';
import { richPicture, vitals } from './fakes/picture.ts';

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

t.test('who opens many connections and asks nothing does not shut others out', async (t) => {
  const { api, get, port } = await opened(t);
  api.publish(richPicture(), vitals(), []);
  await until('metrics', async () => ((await get('/metrics')).status === 200 ? true : undefined));
  const viewer = connect(port, '127.0.0.1').on('error', () => {});
  viewer.write('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await once(viewer, 'data');
  const idlers = Array.from({ length: 2 * CONNECTIONS_MAX }, () =>
    connect(port, '127.0.0.1').on('error', () => {}),
  );
  t.teardown(() => {
    for (const socket of [viewer, ...idlers]) socket.destroy();
  });
  await Promise.all(idlers.map((socket) => once(socket, 'connect')));
  await until('the limit', async () => {
    const left = idlers.filter((socket) => !socket.destroyed).length;
    return left < CONNECTIONS_MAX || undefined;
  });
  t.equal((await get('/metrics')).status, 200, 'the scrape got its answer');
  t.notOk(viewer.destroyed, 'a connection that is being served is not the one that goes');
  t.ok(idlers[0]?.destroyed, 'the one that waited longest is');
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
