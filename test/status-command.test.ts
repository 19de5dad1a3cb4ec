/** What `status` and `run` print: answers of a real API, its silence, and the terminal given back. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { type Api, openApi } from '../agent/api/feed.ts';
import { type Output, openLive } from '../agent/commands/live.ts';
import { type StatusOptions, status, statusCode } from '../agent/commands/status.ts';
import { type Config, NO_JUDGEMENT } from '../rules/config.ts';
import { ms, type Picture } from '../rules/model.ts';
import {
  component,
  emptyPicture,
  group,
  NASTY_NAMES,
  picture,
  richPicture,
  sight,
  vitals,
} from './fakes/picture.ts';

const HANG_MS = 15_000;

async function until(what: string, check: () => boolean): Promise<void> {
  for (const deadline = performance.now() + HANG_MS; performance.now() < deadline; ) {
    if (check()) return;
    await wait(20);
  }
  throw new Error(`never came: ${what}`);
}

interface Screen extends Output {
  readonly text: () => string;
  readonly resize: () => void;
}

/** A terminal, or without `isTTY` a pipe, that keeps what was written. */
function screen(isTTY: boolean, columns = 100, rows = 30): Screen {
  let text = '';
  const listeners = new Set<() => void>();
  return {
    isTTY,
    ...(isTTY ? { columns, rows } : {}),
    writableLength: 0,
    write: (more) => {
      text += more;
      return true;
    },
    on: (_event, listener) => listeners.add(listener),
    off: (_event, listener) => listeners.delete(listener),
    text: () => text,
    resize: () => {
      for (const listener of listeners) listener();
    },
  };
}

function config(runDir: string): Config {
  return {
    node: 'alpha',
    listen: undefined,
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

async function agent(t: Test): Promise<{ api: Api; socketPath: string }> {
  const runDir = mkdtempSync(join(tmpdir(), 'nospof-status-'));
  const api = await openApi({
    config: config(runDir),
    onCommand: async () => '',
    onTrouble: () => {},
  });
  t.teardown(async () => {
    await api.close();
    rmSync(runDir, { recursive: true });
  });
  return { api, socketPath: join(runDir, 'nospof.sock') };
}

function options(socketPath: string, more: Partial<StatusOptions> = {}): StatusOptions {
  return {
    socketPath,
    json: false,
    watch: false,
    colour: false,
    out: screen(false),
    note: () => {},
    readOnce: () => Promise.reject(new Error('not to be read')),
    signal: new AbortController().signal,
    ...more,
  };
}

const WELL: Picture = picture({
  groups: [group('psus/a', 'redundant', ['psu/1', 'psu/2'])],
  components: [component('psu/1'), component('psu/2')],
  sights: [sight('a/b')],
});

t.test('exit codes', (t) => {
  t.equal(statusCode(WELL, false), 0);
  t.equal(statusCode(emptyPicture(), false), 0, 'nothing is exposed where nothing is redundant');
  for (const standing of ['lost', 'exposed', 'unknown'] as const) {
    t.equal(statusCode({ ...WELL, groups: [group('psus/a', standing, [])] }, false), 1, standing);
  }
  t.equal(statusCode(WELL, true), 2, 'an agent that has gone silent proves nothing');
  t.equal(statusCode(picture({ sights: [sight('a/b', 'blind')] }), false), 2, 'all blind');
  t.equal(statusCode(picture(), false), 2, 'nothing looked at');
  t.end();
});

t.test('asks the agent', async (t) => {
  const { api, socketPath } = await agent(t);
  api.publish(richPicture(), vitals(), []);
  const out = screen(false);
  t.equal(await status(options(socketPath, { out })), 1);
  t.match(out.text(), /^nospof 0\.1\.0 on alpha.*\n1 LOST, 3 EXPOSED[\s\S]*zfs\/pools[^\n]*\n$/u);
  const json = screen(false);
  t.equal(await status(options(socketPath, { out: json, json: true })), 1);
  t.match(JSON.parse(json.text()), { node: 'alpha', old: false, vitals: { version: '0.1.0' } });
});

t.test('without an agent it reads once, and says so', async (t) => {
  const nobody = join(tmpdir(), 'nospof-nobody', 'nospof.sock');
  const notes: string[] = [];
  const note = (line: string): void => void notes.push(line);
  const out = screen(false);
  const readOnce = async () => ({ picture: WELL, vitals: vitals() });
  t.equal(await status(options(nobody, { out, note, readOnce })), 0);
  t.match(out.text(), 'NOTHING LOST, NOTHING EXPOSED, 1 redundant');
  t.strictSame(notes, [
    `no agent answers on ${nobody}: start it with nospof run; this is read now, once`,
  ]);
  t.equal(await status(options(nobody, { note })), 2);
  t.match(notes.at(-1), 'cannot read the machine: not to be read');
  t.notOk(existsSync(nobody));
});

t.test('an agent that is there and does not answer: its own look proves nothing', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'nospof-mute-'));
  const socketPath = join(folder, 'nospof.sock');
  const mute = createServer((socket) => socket.destroy()).listen(socketPath);
  t.teardown(() => {
    mute.close();
    rmSync(folder, { recursive: true });
  });
  const notes: string[] = [];
  const note = (line: string): void => void notes.push(line);
  const out = screen(false);
  const readOnce = async () => ({ picture: WELL, vitals: vitals() });
  t.equal(await status(options(socketPath, { out, note, readOnce })), 2);
  t.match(out.text(), 'NOTHING LOST', 'what is seen is shown all the same');
  t.match(notes, [/^cannot ask the agent: /u]);
});

t.test('watch follows changes and says when the news stop', async (t) => {
  const { api, socketPath } = await agent(t);
  api.publish(WELL, vitals(), []);
  const out = screen(true);
  const end = new AbortController();
  const ended = status(options(socketPath, { out, watch: true, signal: end.signal }));
  await until('the first screen', () => out.text().includes('NOTHING EXPOSED, 1 redundant'));
  api.publish({ ...WELL, groups: [group('psus/a', 'exposed', ['psu/1'])] }, vitals(), []);
  await until('the change', () => out.text().includes('NOTHING LOST, 1 EXPOSED'));
  await api.close();
  await until('the end of news', () => /OLD: the agent[\s\S]*no news for/u.test(out.text()));
  end.abort();
  t.equal(await ended, 2, 'what was last seen is no answer any more');
  t.equal(await status(options(socketPath, { watch: true })), 2, 'nobody to watch');
});

t.test('run on a terminal: redrawn in place, and given back', async (t) => {
  const out = screen(true, 80, 24);
  const live = openLive(out, false);
  t.teardown(live.close);
  live.show(WELL, vitals());
  t.ok(out.text().startsWith('\u001b[?1049h\u001b[?25l\u001b[H'), 'a screen of its own');
  const before = out.text();
  live.show(richPicture(), vitals());
  live.show(richPicture(), vitals());
  t.equal(out.text(), before, 'not at once: four in a second at most');
  await until('the redraw', () => out.text().includes('1 LOST, 3 EXPOSED'));
  const drawn = out.text().length;
  out.resize();
  t.ok(out.text().length > drawn, 'drawn anew for the new size');
  live.close();
  live.close();
  t.ok(out.text().endsWith('\u001b[?25h\u001b[?1049l'));
  t.equal(out.text().split('\u001b[?1049l').length, 2, 'once');
  const closed = out.text();
  live.show(WELL, vitals());
  out.resize();
  t.equal(out.text(), closed, 'silent afterwards');
});

t.test('run without a terminal: one line per change, a storm is counted', (t) => {
  const out = screen(false);
  const live = openLive(out, false);
  live.show(richPicture(), vitals());
  const first = out.text();
  t.match(first, /^2026-11-23T00:40:12Z info headline says="1 LOST, 3 EXPOSED/u);
  t.match(first, 'error standing group=mirror/md0 name=md0 was=new is=lost');
  live.show({ ...richPicture(), at: ms(richPicture().at + 500) }, vitals());
  t.equal(out.text(), first, 'no change, no line');
  const storm = NASTY_NAMES.flatMap((name, nasty) =>
    Array.from({ length: 20 }, (_, index) =>
      component(`fan/${nasty}-${index}`, 'failed', { name, why: name }),
    ),
  );
  const at = richPicture().at;
  live.show(picture({ at: ms(at + 2_000), components: storm }), vitals());
  const lines = out.text().slice(first.length).split('\n');
  t.equal(lines.length, 51, 'fifty lines in a second');
  live.show(picture({ at: ms(at + 3_000), components: storm }), vitals());
  t.match(out.text(), /Z warning suppressed lines=191\n$/u);
  t.notMatch(out.text(), /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}]/u);
  t.end();
});
