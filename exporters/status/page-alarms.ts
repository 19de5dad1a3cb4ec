/** The first sections of the page: what is wrong, what runs, and what is held back. */
import type { AlarmLine, LeaseLine, ServiceLine } from './alarms.ts';
import { escapeHtml } from './plain-html.ts';

const SEVERITY: Readonly<Record<AlarmLine['severity'], readonly [kind: string, words: string]>> = {
  critical: ['failed', '✖ critical'],
  warning: ['failing', '▲ warning'],
  info: ['ok', '– info'],
};

const SERVICE: Readonly<Record<ServiceLine['state'], readonly [kind: string, words: string]>> = {
  latched: ['failed', '✖ given up'],
  failed: ['failed', '✖ failed'],
  unknown: ['unknown', '? unknown'],
  waiting: ['failing', '▲ waiting'],
  starting: ['failing', '▲ starting'],
  stopping: ['failing', '▲ stopping'],
  stopped: ['ok', '– stopped'],
  running: ['ok', '✔ running'],
};

function alarmItem(line: AlarmLine): string {
  const [kind, words] =
    line.state === 'pending' ? ['unknown', '… pending'] : SEVERITY[line.severity];
  const notes = [line.held, ...line.notes].join('; ');
  return `<li><span class="state ${kind}">${words}</span> <span class="name">${escapeHtml(line.summary)}</span> <span class="soft">${escapeHtml(notes)}, ${escapeHtml(line.id)}</span></li>`;
}

function serviceItem(line: ServiceLine): string {
  const [kind, words] = SERVICE[line.state];
  const why = line.why === '' ? line.held : `${line.held}: ${line.why}`;
  return `<li><span class="state ${kind}">${words}</span> <span class="name">${escapeHtml(line.name)}</span> <span class="soft">${escapeHtml(why)}</span></li>`;
}

function leaseItem(line: LeaseLine): string {
  return `<li class="flat">${escapeHtml(line.text)}</li>`;
}

function list(title: string, items: readonly string[]): string {
  return items.length === 0 ? '' : `<h2>${title}</h2><ul class="rows">${items.join('')}</ul>`;
}

export function alarmsSection(
  alarms: readonly AlarmLine[],
  services: readonly ServiceLine[],
  leases: readonly LeaseLine[],
): string {
  return [
    list('Maintenance', leases.map(leaseItem)),
    list('Alarms', alarms.map(alarmItem)),
    list('Services', services.map(serviceItem)),
  ].join('');
}
