/**
 * The page as one HTML text, rendered from the view, and its sections one by one for the event stream.
 * It needs no other file, no build step and no script to be read. Everything that came from a machine
 * is escaped here; symbols always stand beside their words.
 */
import type { Health, Sight, Standing } from '../../rules/model.ts';
import { alarmsSection } from './page-alarms.ts';
import { PAGE_SCRIPT } from './page-script.ts';
import { PAGE_STYLE } from './page-style.ts';
import { escapeHtml } from './plain-html.ts';
import type { ComponentLine, GroupLine, SightLine, View } from './view.ts';

export type SectionName =
  | 'old'
  | 'headline'
  | 'asof'
  | 'alarms'
  | 'groups'
  | 'troubled'
  | 'sights'
  | 'advice'
  | 'components'
  | 'about';
export type Sections = Readonly<Record<SectionName, string>>;

/** Members shown on a card; ones in trouble beyond it are shown all the same. */
const MEMBERS_SHOWN_MAX = 8;
/** Without a script the page reloads itself this often. */
const RELOAD_SECONDS = 10;
const STANDING_SYMBOLS: Readonly<Record<Standing, string>> = {
  lost: '✖ LOST',
  exposed: '▲ EXPOSED',
  unknown: '? UNKNOWN',
  redundant: '✔ redundant',
};
const HEALTH_SYMBOLS: Readonly<Record<Health, string>> = {
  failed: '✖ failed',
  absent: '✖ absent',
  failing: '▲ failing',
  unknown: '? unknown',
  ok: '✔ ok',
};
const SIGHT_SYMBOLS: Readonly<Record<Sight['state'], string>> = {
  blind: '? blind',
  stale: '? stale',
  waiting: '… waiting',
  none: '– none',
  seen: '✔ seen',
};

function because(held: string, why: string): string {
  return escapeHtml([held, why].filter((part) => part !== '').join(': '));
}

function nameOf(line: { readonly name: string; readonly id: string }): string {
  return escapeHtml(line.name.trim() === '' ? line.id : line.name);
}

function state(kind: string, words: string): string {
  return `<span class="state ${kind}">${words}</span>`;
}

function memberItem(member: ComponentLine): string {
  const why = member.health === 'ok' ? escapeHtml(member.detail) : because(member.held, member.why);
  return `<li>${state(member.health, HEALTH_SYMBOLS[member.health])} <span class="name">${nameOf(member)}</span> <span class="soft">${why}</span></li>`;
}

/** The symbol, and the word of the standing where the margin's own words do not begin with it. */
function saysText(group: GroupLine): string {
  const word = STANDING_SYMBOLS[group.standing];
  const [symbol = '', name = ''] = word.split(' ');
  return group.margin.startsWith(name) ? `${symbol} ${group.margin}` : `${word}: ${group.margin}`;
}

/** Every member in trouble, and the first of the healthy ones. */
function memberItems(members: readonly ComponentLine[]): string {
  const troubled = members.filter(({ health }) => health !== 'ok').length;
  const shown = members.slice(0, Math.max(troubled, MEMBERS_SHOWN_MAX));
  const more = members.length - shown.length;
  const note = more === 0 ? '' : `<li>${state('ok', '')} and ${more} more ok</li>`;
  return shown.map(memberItem).join('') + note;
}

function groupCard(group: GroupLine): string {
  const notes = [group.counts, group.held];
  if (group.limitedBy !== '') notes.unshift(group.limitedBy);
  if (group.degraded) notes.push('degraded: works on a less preferred member');
  return `<li class="card ${group.standing}"><h3>${nameOf(group)} <small>${escapeHtml(group.kind)}</small></h3><p class="says">${escapeHtml(saysText(group))}</p><p class="soft">${escapeHtml(notes.join('; '))}</p><ul class="members">${memberItems(group.members)}</ul></li>`;
}

function cards(title: string, note: string, groups: readonly GroupLine[]): string {
  if (groups.length === 0) return '';
  return `<h2>${title} <small>${note}</small></h2><ul class="cards">${groups.map(groupCard).join('')}</ul>`;
}

function groupsSection(view: View): string {
  return [
    cards(
      'Without redundancy',
      'lost, exposed or unknown',
      view.groups.filter(({ standing }) => standing !== 'redundant'),
    ),
    cards(
      'Redundant',
      'may lose at least one more',
      view.groups.filter(({ standing }) => standing === 'redundant'),
    ),
  ].join('');
}

function componentItem(line: ComponentLine): string {
  return `<li>${state(line.health, HEALTH_SYMBOLS[line.health])} <span class="name">${nameOf(line)}</span> <span class="soft">${escapeHtml(line.kind)}</span> ${because(line.held, line.why)} <span class="soft">${escapeHtml(line.detail)}</span></li>`;
}

function sightItem(line: SightLine): string {
  const seen = line.state === 'stale' || line.state === 'blind' ? `, ${line.seen}` : '';
  return `<li>${state(line.state, SIGHT_SYMBOLS[line.state])} <span class="name">${nameOf(line)}</span> ${escapeHtml(line.why)} <span class="soft">${escapeHtml(line.held + seen)}</span></li>`;
}

function rows(title: string, note: string, items: readonly string[]): string {
  if (items.length === 0) return '';
  const small = note === '' ? '' : ` <small>${note}</small>`;
  return `<h2>${title}${small}</h2><ul class="rows">${items.join('')}</ul>`;
}

function componentRow(line: ComponentLine): string {
  return `<tr><td>${state(line.health, HEALTH_SYMBOLS[line.health])}</td><td>${nameOf(line)}</td><td>${escapeHtml(line.kind)}</td><td>${because(line.held, line.why)}</td><td>${escapeHtml(line.detail)}</td><td class="soft">${escapeHtml(line.id)}</td></tr>`;
}

function componentsSection(view: View): string {
  if (view.components.length === 0) return '<p>No component has been seen.</p>';
  return `<div class="scroll"><table><thead><tr><th scope="col">Health</th><th scope="col">Name</th><th scope="col">Kind</th><th scope="col">Since and why</th><th scope="col">Readings</th><th scope="col">Identity</th></tr></thead><tbody>${view.components.map(componentRow).join('')}</tbody></table></div>`;
}

function worstOf(view: View): Standing | 'empty' {
  const { lost, exposed, unknown } = view.counts;
  if (view.groups.length === 0) return 'empty';
  if (lost > 0) return 'lost';
  if (exposed > 0) return 'exposed';
  return unknown > 0 ? 'unknown' : 'redundant';
}

function oldSection(view: View): string {
  if (view.old === undefined) return '';
  return `<p>OLD: the agent has said nothing for ${escapeHtml(view.old)}<span>What follows is from ${escapeHtml(view.time)} and may be wrong. The agent hangs or was stopped: look at the machine.</span></p>`;
}

/** The title of the page: its headline, or that it is old. */
export function pageTitle(view: View): string {
  return `${view.old === undefined ? '' : 'OLD: '}${view.headline} - ${view.node}`;
}

/** Every section of the page in HTML, to be put into the element of its name. */
export function pageSections(view: View): Sections {
  const worst = worstOf(view);
  const symbol = { lost: '✖', exposed: '▲', unknown: '?', redundant: '✔', empty: '–' }[worst];
  const [first = '', ...rest] = view.headline.split('; ');
  const others = rest.length === 0 ? '' : `<small>${escapeHtml(rest.join('; '))}</small>`;
  const why = view.why === '' ? '' : `<p>${escapeHtml(view.why)}</p>`;
  return {
    old: oldSection(view),
    headline: `<div class="${worst}"><h1>${symbol} ${escapeHtml(first)}${others}</h1>${why}</div>`,
    asof: `<strong>${escapeHtml(view.node)}</strong> as of ${escapeHtml(view.time)}`,
    alarms: alarmsSection(view.alarms, view.services, view.leases),
    groups: groupsSection(view),
    troubled: rows('Not ok, in no group', '', view.troubled.map(componentItem)),
    sights: [
      rows(
        'Cannot see',
        'what these would show is not known',
        [...view.blind, ...view.waiting].map(sightItem),
      ),
      rows('Unproven', 'never seen working; not counted', view.unproven.map(componentItem)),
      rows('Nothing of this sort here', '', view.none.map(sightItem)),
    ].join(''),
    advice: rows(
      'Advice',
      'what no alarm will tell',
      view.advice.map(
        ({ about, text }) =>
          `<li class="flat">${escapeHtml(text)} <span class="soft">${escapeHtml(about)}</span></li>`,
      ),
    ),
    components: componentsSection(view),
    about: `nospof ${escapeHtml(view.version)}, agent up ${escapeHtml(view.uptime)}, ${view.wakeMode === 'kernel' ? 'woken by the kernel' : 'polling only'}`,
  };
}

/** The whole page. It stands alone: style and script are inside, and nothing else is loaded. */
export function pageHtml(view: View): string {
  const parts = pageSections(view);
  const old = view.old === undefined ? '' : ' class="old"';
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>${escapeHtml(pageTitle(view))}</title>
<noscript><meta http-equiv="refresh" content="${RELOAD_SECONDS}"></noscript>
<style>${PAGE_STYLE}</style></head>
<body data-time="${escapeHtml(view.time)}"${old}>
<div id="old" role="alert">${parts.old}</div><div id="lost" role="alert"></div>
<div id="world"><header id="headline" aria-live="polite">${parts.headline}</header>
<main><div id="asof">${parts.asof}</div>
<section id="alarms" aria-label="Alarms and services">${parts.alarms}</section>
<section id="groups" aria-label="Groups">${parts.groups}</section>
<section id="troubled" aria-label="Not ok, in no group">${parts.troubled}</section>
<section id="sights" aria-label="Sight">${parts.sights}</section>
<section id="advice" aria-label="Advice">${parts.advice}</section>
<details><summary>All components</summary><div id="components">${parts.components}</div></details>
</main>
<footer><span id="about">${parts.about}</span>. For programs: <a href="/api/v1/world">/api/v1/world</a>, <a href="/metrics">/metrics</a>, <a href="/healthz">/healthz</a>, <a href="/readyz">/readyz</a>.</footer></div>
<script>${PAGE_SCRIPT}</script></body></html>
`;
}
