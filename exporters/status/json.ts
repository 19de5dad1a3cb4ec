/**
 * The body of `/api/v1/world`: the picture and the vitals as they are, with the headline and the age of
 * what is told. The shape is stable within v1: members may be added, none is renamed or removed.
 *
 *     { node, version, time, headline, at, ageMs, old,
 *       groups: Group[], components: Component[], sights: Sight[], advice: Advice[], alarms: Alarm[],
 *       services: Service[], maintenance: Maintenance[], vitals: Vitals }
 *
 * `at` is monotonic milliseconds as all other times inside; `time` is the same instant in UTC. `ageMs`
 * is how long ago the agent last spoke, and `old` is true when that is too long to be believed.
 */
import type { Picture, Vitals } from '../../rules/model.ts';
import { headlineText } from './headline.ts';
import { lonersOf } from './view.ts';
import { timeText } from './words.ts';

export interface World extends Picture {
  readonly node: string;
  readonly version: string;
  readonly time: string;
  readonly headline: string;
  readonly ageMs: number;
  readonly old: boolean;
  readonly vitals: Vitals;
}

type Service = Picture['services'][number];

/** Parameters, environment and arguments may hold passwords: they are named at most, never told. */
function published(service: Service): Service {
  const { driver } = service.spec;
  switch (driver.kind) {
    case 'systemd':
      return service;
    case 'ocf': {
      const parameters = hidden(driver.parameters);
      return { ...service, spec: { ...service.spec, driver: { ...driver, parameters } } };
    }
    case 'process': {
      const { check: _, ...rest } = driver;
      const argv = driver.argv.slice(0, 1);
      const shown = { ...rest, argv, environment: hidden(driver.environment) };
      return { ...service, spec: { ...service.spec, driver: shown } };
    }
  }
}

function hidden(values: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.keys(values).map((name) => [name, '***']));
}

export function worldOf(picture: Picture, vitals: Vitals, ageMs: number, old: boolean): World {
  return {
    node: vitals.node,
    version: vitals.version,
    time: timeText(picture.at + vitals.wallOffsetMs),
    headline: headlineText(picture, lonersOf(picture)),
    at: picture.at,
    ageMs: Math.round(ageMs),
    old,
    groups: picture.groups,
    components: picture.components,
    sights: picture.sights,
    advice: picture.advice,
    alarms: picture.alarms,
    services: picture.services.map(published),
    maintenance: picture.maintenance,
    vitals,
  };
}

/** Characters JSON leaves bare that a terminal or a browser may obey: C1 controls, bidi, separators. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

function unicodeEscape(char: string): string {
  let text = '';
  for (let unit = 0; unit < char.length; unit += 1) {
    text += `\\u${char.charCodeAt(unit).toString(16).padStart(4, '0')}`;
  }
  return text;
}

/** JSON that may be printed anywhere: what could steer a terminal is written as `\uXXXX`. */
export function safeJson(value: unknown): string {
  return JSON.stringify(value).replace(UNSAFE, unicodeEscape);
}
