/**
 * Renders the picture as Prometheus text. Lines are made when a thing changes and kept until it
 * changes again; a scrape only joins them, and joins again only the families that changed. So the
 * cost of a scrape follows what changed, not what there is, and nothing is ever read for it.
 */
import type { Picture } from '../../rules/model.ts';
import { alarmCountLines, alarmLines, maintenanceLines } from './alarm-lines.ts';
import {
  adviceLines,
  componentLines,
  type Family,
  groupLines,
  type Lines,
  serviceLines,
  sightLines,
} from './lines.ts';
import { type Format, header } from './text.ts';

export interface MetricsRenderer {
  /** Takes the newest picture; cheap where objects are the same as before. */
  readonly update: (picture: Picture, wallOffsetMs: number) => void;
  /** All families, without the end mark of OpenMetrics. */
  readonly render: (format: Format) => string;
  /** Series left out because there would be more than the limit. */
  readonly dropped: () => number;
}

interface Kept {
  readonly family: Family;
  readonly lines: Map<string, string>;
  body: string | undefined;
}

/** Lines of one thing, and how many series of it found no room. */
interface Owned {
  readonly lines: readonly Lines[];
  readonly dropped: number;
}

interface Store {
  readonly families: Map<string, Kept>;
  readonly owned: Map<string, Owned>;
  series: number;
  dropped: number;
  /** Room came or went while series are short: who gets it is to be decided from the start. */
  disputed: boolean;
}

function emptyStore(): Store {
  return { families: new Map(), owned: new Map(), series: 0, dropped: 0, disputed: false };
}

const NOTHING: Owned = { lines: [], dropped: 0 };

function keptOf(store: Store, family: Family): Kept {
  const known = store.families.get(family.metric);
  if (known !== undefined) return known;
  const kept: Kept = { family, lines: new Map(), body: undefined };
  store.families.set(family.metric, kept);
  return kept;
}

/** Replaces all lines of one thing. */
function put(store: Store, owner: string, all: readonly Lines[], seriesMax: number): void {
  const before = store.owned.get(owner) ?? NOTHING;
  const after: Lines[] = [];
  const seriesBefore = store.series;
  let dropped = 0;
  for (const lines of before.lines) store.series -= lines.series;
  for (const lines of all) {
    if (store.series + lines.series > seriesMax) {
      dropped += lines.series;
      continue;
    }
    store.series += lines.series;
    after.push(lines);
    const kept = keptOf(store, lines.family);
    if (kept.lines.get(owner) === lines.text) continue;
    kept.lines.set(owner, lines.text);
    kept.body = undefined;
  }
  const now = new Set(after.map((lines) => lines.family.metric));
  for (const { family } of before.lines) {
    if (now.has(family.metric)) continue;
    const kept = keptOf(store, family);
    kept.lines.delete(owner);
    kept.body = undefined;
  }
  const isShort = store.dropped > 0 || dropped > 0;
  if (isShort && (dropped !== before.dropped || store.series !== seriesBefore)) {
    store.disputed = true;
  }
  store.dropped += dropped - before.dropped;
  store.owned.set(owner, { lines: after, dropped });
}

type Shown = Pick<
  Picture,
  'components' | 'groups' | 'sights' | 'advice' | 'alarms' | 'maintenance' | 'services'
>;

const NOTHING_SHOWN: Shown = {
  components: [],
  groups: [],
  sights: [],
  advice: [],
  alarms: [],
  maintenance: [],
  services: [],
};

function sameServices(before: Shown['services'], after: Shown['services']): boolean {
  if (before === after) return true;
  if (before.length !== after.length) return false;
  return before.every((one, place) => one.spec.id === after[place]?.spec.id);
}

/** Same things in the same places, so that changes can be taken one by one. */
function alike(
  before: readonly { readonly id: string }[],
  after: readonly { readonly id: string }[],
): boolean {
  if (before === after) return true;
  if (before.length !== after.length) return false;
  return before.every((one, place) => one === after[place] || one.id === after[place]?.id);
}

export function createRenderer(limits: { readonly seriesMax: number }): MetricsRenderer {
  const { seriesMax } = limits;
  let store = emptyStore();
  let shown = NOTHING_SHOWN;

  function putAdvice(picture: Picture): void {
    const advice = new Map(picture.advice.map((one) => [`advice ${one.code} ${one.about}`, one]));
    for (const [owner, one] of advice) put(store, owner, adviceLines(one), seriesMax);
    for (const [owner, { lines }] of store.owned) {
      if (owner.startsWith('advice ') && !advice.has(owner) && lines.length > 0) {
        put(store, owner, [], seriesMax);
      }
    }
  }

  /** Alarms come and go one by one: those that went take their series along. */
  function putAlarms({ alarms, maintenance }: Picture, wallOffsetMs: number): void {
    if (alarms !== shown.alarms) {
      put(store, 'alarm counts', alarmCountLines(alarms), seriesMax);
      const before = new Map(shown.alarms.map((alarm) => [alarm.id, alarm]));
      for (const alarm of alarms) {
        if (before.get(alarm.id) !== alarm) {
          put(store, `alarm ${alarm.id}`, alarmLines(alarm, wallOffsetMs), seriesMax);
        }
        before.delete(alarm.id);
      }
      for (const id of before.keys()) put(store, `alarm ${id}`, [], seriesMax);
    }
    if (maintenance !== shown.maintenance) {
      put(store, 'maintenance', maintenanceLines(maintenance, wallOffsetMs), seriesMax);
    }
  }

  function putServices({ services }: Picture): void {
    for (const [place, service] of services.entries()) {
      if (service !== shown.services[place]) {
        put(store, `metrics of ${service.spec.id}`, serviceLines(service), seriesMax);
      }
    }
  }

  function putAll(picture: Picture, wallOffsetMs: number): void {
    // What says whether anything can be trusted comes first, in case series run short.
    for (const [place, sight] of picture.sights.entries()) {
      if (sight !== shown.sights[place]) {
        put(store, `sight ${sight.id}`, sightLines(sight, wallOffsetMs), seriesMax);
      }
    }
    putAlarms(picture, wallOffsetMs);
    if (picture.advice !== shown.advice) putAdvice(picture);
    putServices(picture);
    for (const [place, group] of picture.groups.entries()) {
      if (group !== shown.groups[place]) {
        put(store, `group ${group.id}`, groupLines(group), seriesMax);
      }
    }
    for (const [place, component] of picture.components.entries()) {
      if (component !== shown.components[place]) {
        put(store, component.id, componentLines(component), seriesMax);
      }
    }
  }

  function putAnew(picture: Picture, wallOffsetMs: number): void {
    store = emptyStore();
    shown = NOTHING_SHOWN;
    putAll(picture, wallOffsetMs);
  }

  return {
    update: (picture, wallOffsetMs) => {
      const same =
        alike(shown.components, picture.components) &&
        alike(shown.groups, picture.groups) &&
        alike(shown.sights, picture.sights) &&
        sameServices(shown.services, picture.services);
      store.disputed = false;
      if (!same) putAnew(picture, wallOffsetMs);
      else putAll(picture, wallOffsetMs);
      if (same && store.disputed) putAnew(picture, wallOffsetMs);
      shown = picture;
    },
    render: (format) => {
      const parts: string[] = [];
      for (const kept of store.families.values()) {
        if (kept.lines.size === 0) continue;
        kept.body ??= [...kept.lines.values()].join('');
        const { metric, type, help } = kept.family;
        parts.push(header(metric, type, help, format), kept.body);
      }
      return parts.join('');
    },
    dropped: () => store.dropped,
  };
}
