/**
 * The API as it runs: a real child process on a free port and a socket in a temporary directory. It is
 * killed, starved and stopped, as a bad night would. Where it listens and to whom: `api-listen.test.ts`.
 */
import { request } from 'node:http';
import t from 'tap';
import { askWorld } from '../agent/api/client.ts';
import { ms, type Picture } from '../rules/model.ts';
import { opened, until } from './fakes/api.ts';
import { richPicture, vitals } from './fakes/picture.ts';

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
