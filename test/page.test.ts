/** The page: complete without script, safe with any name, honest when old. */
import { createHash } from 'node:crypto';
import { Script } from 'node:vm';
import t from 'tap';
import { foreignPage, hostAllowed, SECURITY_HEADERS } from '../agent/api/guard.ts';
import { pageHtml, pageSections, pageTitle } from '../exporters/status/page.ts';
import { PAGE_SCRIPT } from '../exporters/status/page-script.ts';
import { escapeHtml } from '../exporters/status/plain-html.ts';
import { viewOf } from '../exporters/status/view.ts';
import type { Picture } from '../rules/model.ts';
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

function page(of: Picture, oldMs?: number): string {
  return pageHtml(viewOf(of, vitals(), oldMs));
}

/** The tags of a page, in order; text that broke out of its place would change them. */
function tags(html: string): readonly string[] {
  return [...html.matchAll(/<\/?([a-z0-9!]+)/giu)].map(([tag]) => tag);
}

t.test('shows everything without a script', (t) => {
  const html = page(richPicture());
  for (const part of [
    '✖ 1 LOST, 3 EXPOSED, 1 UNKNOWN, 2 redundant',
    '2 sources cannot see',
    '▲ EXPOSED: the next failure loses it',
    '? UNKNOWN: between exposed and redundant (1 unknown)',
    'all share card/0000:03:00.0',
    'needs 1 (assumed)',
    'permission denied; run the agent as root',
    'All paths of mpatha go through one card',
    'never seen working; not counted',
    '<noscript><meta http-equiv="refresh"',
    'aria-live="polite"',
  ]) {
    t.match(html, part);
  }
  const markup = html.replace(/<(script|style)>[\s\S]*?<\/\1>/gu, '');
  t.notMatch(markup, /(?:src|href)="(?!\/)/u, 'loads nothing from elsewhere');
  t.notMatch(markup, /\sstyle=|\son[a-z]+=/u, 'nothing inline that the policy refuses');
  t.notMatch(markup, 'OLD:');
  t.match(page(emptyPicture()), 'Nothing redundant is visible on this machine');
  t.end();
});

t.test('an old page says so in its title, in big words, and for good reason', (t) => {
  const html = page(richPicture(), 65_000);
  t.match(html, '<div id="old" role="alert"><p>OLD: the agent has said nothing for 1 min');
  t.match(html, '<title>OLD: ');
  t.match(html, 'class="old"');
  t.equal(pageSections(viewOf(richPicture(), vitals())).old, '');
  t.match(pageTitle(viewOf(richPicture(), vitals())), /^1 LOST.* - alpha$/u);
  t.end();
});

t.test('no name breaks out of its place', (t) => {
  const calm = (name: string): Picture =>
    picture({
      components: [
        component('fan/1', 'failed', { name, kind: name, why: name, facts: { model: name } }),
        component('fan/2', 'failed', { name, why: name }),
        component('fan/3', 'unknown', { name, why: name, unproven: true }),
      ],
      groups: [group('fans/1', 'lost', ['fan/1'], { name, kind: name })],
      sights: [sight('a/1', 'blind', { why: name }), sight('a/2', 'none', { why: name })],
      advice: [{ code: 'x', about: 'fan/1' as never, text: name }],
    });
  const wanted = tags(pageHtml(viewOf(calm('calm'), vitals({ node: 'calm' }))));
  for (const name of NASTY_NAMES) {
    const html = pageHtml(viewOf(calm(name), vitals({ node: name, version: name })));
    t.strictSame(tags(html), wanted, `name ${NASTY_NAMES.indexOf(name)}`);
    t.notMatch(html, /[^\P{Cc}\n]|[\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u, 'no hidden characters');
    t.ok(html.length < 40_000, 'cut to a length');
  }
  t.equal(escapeHtml(`<a b='c' d="e">&`), '&lt;a b&#61;&#39;c&#39; d&#61;&quot;e&quot;&gt;&amp;');
  t.end();
});

t.test('all members in trouble are on the card, few of the healthy', (t) => {
  const members = Array.from({ length: 40 }, (_, index) =>
    component(`path/${index}`, index < 20 ? 'failed' : 'ok'),
  );
  const ids = members.map((member) => member.id);
  const html = pageSections(
    viewOf(picture({ components: members, groups: [group('paths/p', 'exposed', ids)] }), vitals()),
  ).groups;
  t.equal(html.match(/✖ failed/gu)?.length, 20);
  t.match(html, 'and 20 more ok');
  t.end();
});

t.test('the policy names exactly the script and style of the page', (t) => {
  const html = page(richPicture());
  const policy = SECURITY_HEADERS['content-security-policy'] ?? '';
  for (const tag of ['style', 'script']) {
    const text = new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`, 'u').exec(html)?.[1] ?? '';
    t.match(policy, `sha256-${createHash('sha256').update(text).digest('base64')}`, tag);
  }
  t.notMatch(policy, 'unsafe');
  t.ok(new Script(PAGE_SCRIPT), 'the script compiles');
  t.end();
});

t.test('Host and origin guards', (t) => {
  const cases: readonly [string | undefined, string, boolean][] = [
    ['127.0.0.1:9974', '127.0.0.1', true],
    ['localhost:9974', '127.0.0.1', true],
    ['LOCALHOST', '127.0.0.1', true],
    ['[::1]:9974', '127.0.0.1', true],
    ['127.1.2.3', '::1', true],
    ['evil.example:9974', '127.0.0.1', false],
    ['127.0.0.1.evil.example', '127.0.0.1', false],
    ['localhost.evil.example', 'localhost', false],
    ['evil.example', 'localhost', false],
    ['[::1].evil.example', '::1', false],
    ['', '127.0.0.1', false],
    [undefined, '127.0.0.1', false],
    ['alpha.example:9974', '192.0.2.5', true],
    ['anything', '0.0.0.0', true],
  ];
  for (const [header, listen, allowed] of cases) {
    t.equal(hostAllowed(header, listen), allowed, `${header} on ${listen}`);
  }
  t.notOk(foreignPage(undefined, undefined), 'curl and Prometheus send nothing');
  t.notOk(foreignPage('same-origin', 'cors'));
  t.notOk(foreignPage('cross-site', 'navigate'), 'a link from a chat');
  t.ok(foreignPage('cross-site', 'cors'));
  t.ok(foreignPage('same-site', 'no-cors'));
  t.end();
});
